"""Meters that a crash left behind the ledger catch up: calls that a sweeper had guessed, and entries of the process
before that were written down but not settled.

Everything else is settled by the request's own process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from routeiq_governance.ledger.entry import CORRECTION, Entry
from routeiq_sdk import Gateway, StoreUnavailable
from routeiq_sdk.values.meters import Posting

_SURE_NS = 3000 * 1_000_000_000
"""A store remembers for an hour what it settled. What is older may have been settled before: the sweeper decides."""


class Healing:
    """What the store of meters still has to hear."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._waiting: dict[str, list[Posting]] = {}

    def note(self, fresh: Sequence[Entry], *, replayed: bool) -> None:
        """Look at entries that were just written."""
        guessed = {entry.request_id for entry in fresh if entry.kind == CORRECTION}
        for request in guessed:
            # The store settled the guess; all that the ledger now has beyond it is still missing there.
            self._waiting[f"corrected:{request}"] = _postings(e for e in fresh if e.request_id == request)
        if replayed:
            now = self._gateway.clock.now_ns()
            for entry in fresh:
                if entry.request_id not in guessed and now - entry.ended_at < _SURE_NS:
                    own = _postings(e for e in fresh if e.request_id == entry.request_id)
                    self._waiting.setdefault(entry.request_id, own)

    async def heal(self) -> None:
        """Tell the store; what it cannot be told now is told later."""
        for hold in list(self._waiting):
            try:
                await self._gateway.meters.settle(hold, self._waiting[hold])
            except StoreUnavailable:
                return
            del self._waiting[hold]


def _postings(entries: Iterable[Entry]) -> list[Posting]:
    return [Posting(taken.meter, taken.amount, taken.ends) for entry in entries for taken in entry.meters]

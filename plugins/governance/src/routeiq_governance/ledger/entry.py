"""A row of the ledger and the batch in which a request's rows travel: from the spool to the database, unchanged.

What a call costs was decided before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

ATTEMPT = "attempt"
OVERRUN = "overrun"
CORRECTION = "correction"
RESET = "reset"
LOST = "lost"
"""The outcome of a row that the sweeper wrote for a process that died: its cost is what was held."""


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """What an entry took from a meter; `ends` is the Unix ns after which the meter is over."""

    meter: str
    amount: int
    ends: int | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row. `at` and `ended_at` are Unix ns, `cost` is nano-USD. `meters` is what it took from meters."""

    request_id: str
    attempt: int
    kind: str = ATTEMPT
    at: int
    ended_at: int
    outcome: str
    status: int
    route: str | None = None
    key_id: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    customer_id: str | None = None
    model_group: str | None = None
    model: str | None = None
    deployment_id: str | None = None
    provider: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    cost: int = 0
    price_version: str | None = None
    tags: tuple[str, ...] = ()
    detail: Mapping[str, Any] = {}
    meters: tuple[Taken, ...] = ()
    response_id: str | None = None

    @property
    def scopes(self) -> list[tuple[str, str]]:
        """Whose sums it belongs to: scope and id."""
        named = (
            ("key", self.key_id),
            ("user", self.user_id),
            ("team", self.team_id),
            ("organization", self.organization_id),
            ("customer", self.customer_id),
            ("model", self.model_group),
            ("provider", self.provider),
        )
        found = [(scope, id) for scope, id in named if id is not None]
        if self.team_id is not None and self.user_id is not None:
            found.append(("member", f"{self.team_id}/{self.user_id}"))
        found += [("tag", tag) for tag in dict.fromkeys(self.tags)]
        return [*found, ("global", "")]

    @property
    def accounts(self) -> tuple[tuple[str, int], ...]:
        """The double entry: what the payer's account received and the provider's gave."""
        payer = f"key:{self.key_id}" if self.key_id is not None else f"user:{self.user_id or ''}"
        return ((payer, self.cost), (f"provider:{self.provider or ''}", -self.cost))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode


def packed(entries: list[Entry]) -> bytes:
    """A batch as the spool keeps it."""
    return _encode(entries)


def unpacked(data: bytes) -> list[Entry]:
    """A batch as it was."""
    return _decode(data)

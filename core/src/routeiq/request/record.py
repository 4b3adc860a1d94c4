"""Makes the record of a finished request, keeps the newest for look-up, and hands each to the sinks.

Durable audit is a plugin's business.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from routeiq.plugins.compiled import Call
from routeiq.request import gates
from routeiq_sdk import Context, Record

KEPT = 2000
_LOG_EVERY_SECONDS = 60.0


def make_record(
    ctx: Context, *, status: int, error_type: str | None, error: str | None, overhead_ms: float | None
) -> Record:
    """The record of a request whose last byte is out."""
    last = ctx.attempts[-1] if ctx.attempts else None
    asked = ctx.asked
    principal = ctx.identified
    return Record(
        request_id=ctx.request_id,
        decision_id=ctx.decision_id,
        at=ctx.received_at,
        surface=ctx.surface,
        route=ctx.route,
        status=status,
        stream=asked.stream if asked is not None else False,
        requested_model=asked.model if asked is not None else None,
        model=last.model if last is not None else None,
        deployment_id=last.deployment_id if last is not None else None,
        provider=last.provider if last is not None else None,
        principal=principal.id if principal is not None else None,
        team=principal.team if principal is not None else None,
        user=principal.user if principal is not None else None,
        end_user=ctx.end_user,
        tags=tuple(sorted(ctx.tags)),
        decision=ctx.decision,
        attempts=tuple(ctx.attempts),
        usage=ctx.usage,
        cost=ctx.cost,
        price_version=ctx.price_version,
        latency_ms=ctx.elapsed_ms(),
        first_byte_ms=last.first_byte_ms if last is not None else None,
        overhead_ms=overhead_ms,
        config=ctx.config,
        error_type=error_type,
        error=error,
        group=last.group if last is not None else None,
        trace=ctx.trace,
        stage=ctx.stage if error is not None and not any(each.dispatched for each in ctx.attempts) else None,
        rulings=tuple(ctx.rulings),
        routing_ms=ctx.routing_ms,
        action=ctx.action,
        client=ctx.client,
        key_alias=principal.alias if principal is not None else None,
        organization=principal.organization if principal is not None else None,
        budgets=tuple(ctx.budgets),
    )


def as_json(record: Record) -> dict[str, Any]:
    """A record as plain JSON data; money stays in nano-USD."""
    told: dict[str, Any] = orjson.loads(orjson.dumps(record, default=str))  # several times as fast as `asdict`
    return told


class Records:
    """The newest records of this process, found by decision id or request id. Bounded; carried over a reload."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self.counted: Callable[[Record], None] | None = None
        """Hears of each record, for figures of the last minute."""
        self._by_id: OrderedDict[str, Record] = OrderedDict()
        self._logged_at: dict[str, float] = {}
        self.lost = 0

    def add(self, ctx: Context, record: Record, sinks: Sequence[Call]) -> None:
        """Keep the record and tell the sinks. A sink's failure is counted, never felt."""
        if self.counted is not None:
            self.counted(record)
        self._by_id[record.request_id] = record
        if len(self._by_id) > self._most:
            self._by_id.popitem(last=False)
        for call in sinks:
            try:
                gates.ask_now(call, ctx, record)
            except Exception as error:
                self.lost += 1
                self._note(call, ctx, error)

    def _note(self, call: Call, ctx: Context, error: Exception) -> None:
        """A broken sink fails at every request: its failures are all counted, and logged once a minute."""
        now = time.monotonic()
        if now - self._logged_at.get(call.plugin, -_LOG_EVERY_SECONDS) < _LOG_EVERY_SECONDS:
            call.stats.errors += 1
            return
        self._logged_at[call.plugin] = now
        gates.failed(call, ctx, error)

    def find(self, wanted: str) -> Record | None:
        """The record with this request id or decision id."""
        return self._by_id.get(wanted.removeprefix("dec-"))

    def newest(self) -> Iterable[Record]:
        """All that are kept, newest first."""
        return reversed(self._by_id.values())

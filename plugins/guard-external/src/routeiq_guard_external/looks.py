"""Looks that no request waits for: bounded, in the background, told as events.

Who is asked, and what a finding is, is decided elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from routeiq_sdk import Context
from routeiq_sdk.events.contract import moment
from routeiq_sdk.events.guard import GuardV1
from routeiq_sdk.gateway import Gateway
from routeiq_sdk.values.verdict import Ruling

MOST = 64
"""Looks under way at once; the next is left out, and its request's record says so."""
LEFT_OUT = "not looked at"


class Looks:
    """The looks of one plugin."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._running = 0
        self._numbers = itertools.count(1)

    def begin(self, ctx: Context, hook: str, look: Callable[[], Awaitable[str]]) -> None:
        """Start a look. What it says, if anything, becomes a `routeiq.guard.v1` event."""
        if self._running >= MOST:
            ctx.rulings.append(Ruling(hook, self._gateway.plugin, "observe", 0, LEFT_OUT))
            return
        self._running += 1
        number = next(self._numbers)

        async def work() -> None:
            try:
                found = await look()
                if found:
                    self._tell(ctx, hook, found, number)
            finally:
                self._running -= 1

        self._gateway.spawn(f"look {number}", work)

    def _tell(self, ctx: Context, hook: Any, found: str, number: int) -> None:
        at = self._gateway.clock.now_ns()
        caller = ctx.identified
        event = GuardV1(
            event_id=f"{ctx.request_id}-look-{self._gateway.worker}-{number}",
            timestamp_utc=moment(ctx.received_at),
            request_id=ctx.request_id,
            trace_id=ctx.trace.trace_id,
            guard=self._gateway.plugin,
            stage=hook,
            action="observe",
            status=0,
            reason=found,
            principal=caller.id if caller is not None else None,
            team=caller.team if caller is not None else None,
        )
        self._gateway.emit(event.event(at))

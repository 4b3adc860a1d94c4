"""Settles a request's reservation: always, after the last byte, whatever became of the client.

It belongs to the runtime: a cancelled request does not cancel it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from routeiq.plugins.compiled import Call
from routeiq.request import gates
from routeiq.telemetry.background import Background
from routeiq_sdk import Context


class Settlement:
    """Calls the `settle` hooks in the background, each until it succeeds or the tries are used up."""

    def __init__(self, calls: Sequence[Call], background: Background) -> None:
        self._calls = calls
        self._background = background

    def start(self, ctx: Context) -> None:
        """Begin; returns at once."""
        self._background.spawn(f"settle {ctx.request_id}", lambda: self._settle(ctx))

    async def _settle(self, ctx: Context) -> None:
        dispatched = any(outcome.dispatched for outcome in ctx.attempts)
        usage = ctx.usage if dispatched else None
        await asyncio.gather(*(gates.ask_until_done(call, ctx, usage) for call in self._calls))

"""Hooks that write down: durable commits, the record of a request, batches of events."""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_sdk.context import Context
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.records import Event, Record


class TelemetryHooks:
    """Nothing here is awaited on the request path, except `commit` for event classes configured `closed`."""

    @hook(failure="closed")
    async def commit(self, event: Event) -> None:
        """Make an event durable before its action is acknowledged. Fires for admin, auth and policy events of a class
        configured
        `closed`. A failure refuses the action."""

    @hook(failure="swallow")
    def record(self, ctx: Context, record: Record) -> None:
        """Take the record of a finished request. Fires after the last byte; synchronous, so enqueue only.

        A failure is counted and logged once a minute; the client never notices.
        """

    @hook(failure="retry")
    async def emit(self, events: Sequence[Event]) -> None:
        """Deliver a batch of events. Fires off the request path. A failure is retried; batches may arrive twice."""

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
        """Make an event durable before its action is acknowledged.

        Fires for every change that a caller asks for (`routeiq.admin.v1`: once before it is done, once before it is
        acknowledged), for every caller who is refused (`routeiq.admission.v1`, stages `authenticate` and `permit`),
        and for what plugins commit. Whether to wait for the disk is the plugin's choice, by class of event. A failure
        refuses the action; raise `RequestError` to say with which status.
        """

    @hook(failure="swallow")
    def record(self, ctx: Context, record: Record) -> None:
        """Take the record of a finished request. Fires after the last byte; synchronous, so enqueue only.

        `routeiq_sdk.events.events_of` makes the contract events of a record, `BatchQueue` is a queue for it. A record
        whose `stage` is `authenticate` or `permit` was given to `commit` hooks before.

        A failure is counted and logged once a minute; the client never notices.
        """

    @hook(failure="retry")
    async def emit(self, events: Sequence[Event]) -> None:
        """Deliver a batch of events. Fires off the request path. A failure is retried; batches may arrive twice.

        These are events beside the records of requests: changes, refused callers, and what plugins emit. What a plugin
        got through its own `commit` hook does not come here again.
        """

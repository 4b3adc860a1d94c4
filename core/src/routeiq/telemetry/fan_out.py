"""Events on their way to the sinks: one queue for all of them, each with its own retries. Never awaited by a request.

What an event means and where it goes is known to plugins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from routeiq.plugins.compiled import Call
from routeiq_sdk import BatchQueue, Event

log = structlog.get_logger("routeiq.events")

_MOST_QUEUED = 10_000
_BATCH = 500
_TRIES = 5
_PAUSE_SECONDS = 0.2
_DELIVERY_SECONDS = 30.0


class _Queued(NamedTuple):
    event: Event
    committed: bool


class FanOut:
    """One queue for all sinks of a runtime. When it is full the oldest events go, and the loss is counted."""

    def __init__(self, sinks: Sequence[Call], committing: Sequence[Call] = ()) -> None:
        self._sinks = sinks
        committers = {call.plugin for call in committing}
        self._others = tuple(sink for sink in sinks if sink.plugin not in committers)
        # Each sink has its own tries, so that one that fails keeps no other from its events.
        self._queue = BatchQueue(self._deliver_all, most=_MOST_QUEUED, batch=_BATCH, linger_seconds=0, tries=1)
        self._running: asyncio.Task[None] | None = None
        self.failed_batches = 0

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return len(self._queue)

    @property
    def dropped(self) -> int:
        """Events that no sink was told: too many waited, or there was too little time at the end."""
        return self._queue.lost

    def put(self, event: Event, *, committed: bool = False) -> None:
        """Queue an event. With no sink installed this does nothing; sinks that have `committed` it are left out."""
        if self._others if committed else self._sinks:
            self._queue.put(_Queued(event, committed))

    def start(self) -> None:
        """Begin to deliver, if there is a sink."""
        if self._sinks and self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._queue.run(), name="deliver events")

    async def stop(self, seconds: float) -> None:
        """Deliver what is queued, at most this long, and end."""
        task, self._running = self._running, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait((task,))
        before = self.dropped
        await self._queue.flush(seconds)
        if self.dropped > before:
            log.error("events were not delivered in time", lost=self.dropped - before)

    async def flush(self) -> None:
        """Deliver what is queued now."""
        await self._queue.flush(_DELIVERY_SECONDS)

    async def _deliver_all(self, batch: Sequence[_Queued]) -> None:
        every = [queued.event for queued in batch]
        fresh = [queued.event for queued in batch if not queued.committed]
        deliveries = [(sink, every if sink in self._others else fresh) for sink in self._sinks]
        await asyncio.gather(*(self._deliver(sink, events) for sink, events in deliveries if events))

    async def _deliver(self, sink: Call, batch: Sequence[Event]) -> None:
        for number in range(_TRIES):
            try:
                async with asyncio.timeout(_DELIVERY_SECONDS):
                    await sink.function(batch)
            except Exception as error:
                sink.stats.errors += 1
                log.warning("sink failed", plugin=sink.plugin, error=type(error).__name__, attempt=number + 1)
                await asyncio.sleep(_PAUSE_SECONDS * 2**number)
            else:
                return
        self.failed_batches += 1

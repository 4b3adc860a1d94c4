"""Events on their way to the sinks: a bounded queue, batches, retries. Never awaited by a request.

What an event means and where it goes is known to plugins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from routeiq.plugins.compiled import Call
from routeiq_sdk import Event

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
        self._queue: deque[_Queued] = deque(maxlen=_MOST_QUEUED)
        self._wake = asyncio.Event()
        self._delivering: asyncio.Task[None] | None = None
        self._ending = False
        self.dropped = 0
        self.failed_batches = 0

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return len(self._queue)

    def put(self, event: Event, *, committed: bool = False) -> None:
        """Queue an event. With no sink installed this does nothing; sinks that have `committed` it are left out."""
        if not (self._others if committed else self._sinks):
            return
        if len(self._queue) == _MOST_QUEUED:
            self.dropped += 1
        self._queue.append(_Queued(event, committed))
        self._wake.set()

    def start(self) -> None:
        """Begin to deliver, if there is a sink."""
        if self._sinks and self._delivering is None:
            self._ending = False
            self._delivering = asyncio.get_running_loop().create_task(self._deliver_all(), name="deliver events")

    async def stop(self, seconds: float) -> None:
        """Deliver what is queued, at most this long, and end."""
        task, self._delivering = self._delivering, None
        if task is None:
            return
        self._ending = True  # a cancelled delivery would be made again, so the task is asked before it is made to end
        self._wake.set()
        await asyncio.wait((task,), timeout=seconds)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
        if self._queue:
            self.dropped += len(self._queue)
            log.error("events were not delivered in time", lost=len(self._queue))

    async def _deliver_all(self) -> None:
        while not (self._ending and not self._queue):
            await self._wake.wait()
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Deliver what is queued now."""
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            every = [queued.event for queued in batch]
            fresh = [queued.event for queued in batch if not queued.committed]
            deliveries = [(sink, every if sink in self._others else fresh) for sink in self._sinks]
            try:
                await asyncio.gather(*(self._deliver(sink, events) for sink, events in deliveries if events))
            except BaseException:  # cancelled: whoever flushes next shall have them, or count them
                self._queue.extendleft(reversed(batch[: _MOST_QUEUED - len(self._queue)]))
                raise

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

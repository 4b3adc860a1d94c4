"""A bounded queue whose items are delivered in batches by one task: what a sink's `record` hook needs.

Durability is not its business: what waits here is lost with the process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class BatchQueue(Generic[T]):
    """`put` never waits; `run` (give it to `gateway.spawn`) delivers; `flush` at teardown delivers what is left.

    A batch goes out once `batch` items wait, or `linger_seconds` after the first of them. A `deliver` that fails is
    tried again `tries` times with growing pauses, then its batch is lost and counted in `lost`. When `most` items
    wait, the oldest go and are counted in `lost` too.
    """

    def __init__(
        self,
        deliver: Callable[[Sequence[T]], Awaitable[None]],
        *,
        most: int = 10_000,
        batch: int = 500,
        linger_seconds: float = 0.2,
        tries: int = 5,
        pause_seconds: float = 0.2,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self._deliver = deliver
        self._waiting: deque[T] = deque(maxlen=most)
        self._most = most
        self._batch = batch
        self._linger_seconds = linger_seconds
        self._tries = tries
        self._pause_seconds = pause_seconds
        self._failed = failed
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._delivering: asyncio.Task[None] | None = None
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T) -> None:
        """Take an item. The oldest one goes when the queue is full."""
        waiting = self._waiting
        if len(waiting) == self._most:
            self.lost += 1
        waiting.append(item)
        if not self._arrived.is_set():
            self._arrived.set()
        if len(waiting) >= self._batch and not self._full.is_set():
            self._full.set()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            await self._arrived.wait()
            try:
                async with asyncio.timeout(self._linger_seconds):
                    await self._full.wait()
            except TimeoutError:
                pass
            await self._deliver_waiting()

    async def flush(self, seconds: float = 5.0) -> None:
        """Deliver what waits, at most this long; what then still waits is lost and counted. A batch that a cancelled
        `run` had in hand is waited for: it goes out once."""
        try:
            async with asyncio.timeout(seconds):
                await self._deliver_waiting()
        except TimeoutError:
            if self._delivering is not None:
                self._delivering.cancel()
                await asyncio.wait((self._delivering,))
            self.lost += len(self._waiting)
            self._waiting.clear()

    async def _deliver_waiting(self) -> None:
        self._arrived.clear()
        self._full.clear()
        while self._waiting or self._delivering is not None:
            if self._delivering is None:
                self._delivering = asyncio.get_running_loop().create_task(self._deliver_all())
            # Not cancelled with whoever waits for it: a batch half-way out would be delivered again.
            await asyncio.shield(self._delivering)

    async def _deliver_all(self) -> None:
        batch: list[T] = []
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
                await self._try(batch)
                batch = []
        finally:
            self.lost += len(batch)
            self._delivering = None

    async def _try(self, batch: Sequence[T]) -> None:
        for number in range(self._tries):
            try:
                await self._deliver(batch)
            except Exception as error:
                if self._failed is not None:
                    self._failed(error)
                if number + 1 < self._tries:
                    await asyncio.sleep(self._pause_seconds * 2**number)
            else:
                return
        self.lost += len(batch)

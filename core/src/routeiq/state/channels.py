"""Messages inside one process: a bounded queue a subscriber, and a publisher that never waits.

Messages between processes are the business of the stores that have them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Subscription:
    """What one subscriber has not read yet. When it is too slow, the oldest message makes room for the newest."""

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self._messages: deque[bytes] = deque(maxlen=size)
        self._arrived = asyncio.Event()
        self._open = True

    def offer(self, message: bytes) -> bool:
        """Queue a message; `False` when another had to go for it."""
        full = len(self._messages) == self._messages.maxlen
        self.dropped += full
        self._messages.append(message)
        self._arrived.set()
        return not full

    def close(self) -> None:
        self._open = False
        self._arrived.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> bytes:
        while self._open:
            if self._messages:
                return self._messages.popleft()
            self._arrived.clear()
            await self._arrived.wait()
        raise StopAsyncIteration


class Channels:
    """All subscriptions of a process. `dropped` counts the messages that slow subscribers never saw."""

    def __init__(self, queue_size: int) -> None:
        self.dropped = 0
        self._queue_size = queue_size
        self._subscriptions: dict[str, set[Subscription]] = {}

    def publish(self, channel: str, message: bytes) -> None:
        for subscription in self._subscriptions.get(channel, ()):
            if not subscription.offer(message):
                self.dropped += 1

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        subscription = Subscription(self._queue_size)
        peers = self._subscriptions.setdefault(channel, set())
        peers.add(subscription)
        try:
            yield subscription
        finally:
            subscription.close()
            peers.discard(subscription)
            if not peers:
                del self._subscriptions[channel]

"""Answers that are remembered for a moment, and asked for once however many wait for them.

What the answers are is told by whoever asks.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Remembered(Generic[V]):
    """At most `most` answers, each for `seconds`. Failures are not remembered."""

    def __init__(self, seconds: float, most: int, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._now = now
        self._known: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Task[V]] = {}
        self._epoch = 0

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[V]]) -> V:
        """The answer for `key`. Raises what `ask` raises."""
        known = self._known.get(key)
        if known is not None and self._now() - known[0] < self._seconds:
            return known[1]
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.ensure_future(self._ask(key, ask))
            task.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(task)

    def clear(self) -> None:
        """Forget everything, also what is being asked now: its answer may be old when it comes."""
        self._epoch += 1
        self._known.clear()
        self._asking.clear()

    async def close(self) -> None:
        """End the questions under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[V]]) -> V:
        epoch, asked = self._epoch, self._now()
        value = await ask()
        if epoch == self._epoch:
            self._known[key] = (asked, value)
            self._known.move_to_end(key)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return value

    def _asked(self, key: Hashable, task: asyncio.Task[V]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]
        if not task.cancelled():
            task.exception()  # whoever waits raises it; nobody waiting is no reason to warn

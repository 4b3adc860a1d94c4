"""Questions to the database on the way of a request: each asked once however many wait, answered in time or not at all.

What is asked, and what is remembered of the answers, is `gate`'s business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from routeiq_sdk import StoreUnavailable

ANSWER_SECONDS = 2.0
PAUSE_SECONDS = 1.0
T = TypeVar("T")


class Asking:
    """Questions under way, by name. After a failure all but one question a second fail at once, so that a database
    that is away costs nobody's time."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[Any]] = {}
        self._away_until = 0.0

    async def once(self, name: Hashable, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to `question`, or to the one of this name that is under way. Raises `StoreUnavailable`, also when
        none came within two seconds."""
        task: asyncio.Task[T] | None = self._asked.get(name)
        if task is None:
            now = time.monotonic()
            if self._away_until > now:
                raise StoreUnavailable("the governance database was away a moment ago")
            if self._away_until:
                self._away_until = now + PAUSE_SECONDS  # this question finds out for all others
            task = self._asked[name] = asyncio.ensure_future(question())
            task.add_done_callback(lambda done: self._answered(name, done))
        await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        if not task.done():
            self._away_until = time.monotonic() + PAUSE_SECONDS
            raise StoreUnavailable(f"the governance database did not answer within {ANSWER_SECONDS:g} s")
        return task.result()

    async def close(self) -> None:
        """Nobody waits any more."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _answered(self, name: Hashable, task: asyncio.Task[Any]) -> None:
        self._asked.pop(name, None)
        if not task.cancelled():
            failed = isinstance(task.exception(), StoreUnavailable)
            self._away_until = time.monotonic() + PAUSE_SECONDS if failed else 0.0

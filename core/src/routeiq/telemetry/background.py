"""The owner of work that outlives a request: settlements, event batches, what plugins spawn.

Nothing else in the core starts a task that nobody waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("routeiq.background")


class Background:
    """Holds tasks until they end. `close` lets them finish for a while, then cancels what is left."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Start `work`; a failure is logged under `name`."""
        task = asyncio.get_running_loop().create_task(self._run(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def running(self) -> int:
        """Tasks that have not ended."""
        return len(self._tasks)

    async def finish(self, seconds: float) -> None:
        """Wait for all tasks, at most this long."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    async def close(self, seconds: float = 0.0) -> None:
        """Wait a while, cancel the rest, and wait for that."""
        await self.finish(seconds)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=10.0)

    async def _run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.error("background work failed", work=name, error=type(error).__name__, detail=str(error))

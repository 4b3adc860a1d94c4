"""Notices that the client went away while its answer is being made, and ends the work for it.

Settlement is not ended: it belongs to the runtime.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from routeiq.limits.reading import ClientGone, Receive


class ClientWatch:
    """`async with ClientWatch(receive, ending):` cancels the body of the block when the client disconnects, and raises
    `ClientGone`. Once `ending()` is true the client has its answer, and may go."""

    __slots__ = ("_ending", "_gone", "_receive", "_task", "_watcher")

    def __init__(self, receive: Receive, ending: Callable[[], bool]) -> None:
        self._receive = receive
        self._ending = ending
        self._gone = False
        self._task: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ClientWatch:
        self._task = asyncio.current_task()
        self._watcher = asyncio.get_running_loop().create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone and kind is asyncio.CancelledError and self._task is not None and not self._task.uncancel():
            raise ClientGone from None

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                break
        if self._ending():
            return
        self._gone = True
        if self._task is not None:
            self._task.cancel("the client went away")

"""Work in a task of its own whose pieces somebody else reads as they come: it ends when nobody reads any more.

What the pieces are is the caller's business.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_WAITING = 32


class _End:
    pass


async def pumped(work: Callable[[Callable[[T], Awaitable[None]]], Awaitable[None]]) -> AsyncGenerator[T]:
    """What `work` gives to the function that it gets, then its error if it had one. Closing this cancels `work`."""
    pieces: asyncio.Queue[T | _End] = asyncio.Queue(_WAITING)

    async def run() -> None:
        try:
            await work(pieces.put)
        finally:
            with contextlib.suppress(asyncio.QueueFull):
                pieces.put_nowait(_End())

    task = asyncio.create_task(run(), name="a2a stream")
    try:
        while True:
            if task.done() and pieces.empty():
                break
            piece = await _next(pieces, task)
            if isinstance(piece, _End):
                break
            yield piece
        await task
    finally:
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def _next(pieces: asyncio.Queue[T | _End], task: asyncio.Task[None]) -> T | _End:
    """The next piece; the end also when the queue was full at the work's end, so that no mark of it fitted in."""
    try:
        return pieces.get_nowait()
    except asyncio.QueueEmpty:
        pass
    getting = asyncio.ensure_future(pieces.get())
    try:
        await asyncio.wait({getting, task}, return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
        return pieces.get_nowait() if not pieces.empty() else _End()
    finally:
        if not getting.done():
            getting.cancel()

"""The state of one worker's farewell, shared with the application: readiness reads it, live requests are in it.

When each step happens is the worker's decision; nothing here sleeps, closes sockets or knows of signals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send


class Drain:
    """1. `begin`: readiness goes false. 2. The worker closes the listening socket. 3. `cut`: what is left is ended."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._live: set[asyncio.Task[Any]] = set()
        self._cut = False

    @property
    def draining(self) -> bool:
        return self._begun.is_set()

    @property
    def live(self) -> int:
        """Requests (streams and WebSockets too) that have begun and not ended."""
        return len(self._live)

    def begin(self) -> None:
        self._begun.set()

    async def begun(self) -> None:
        await self._begun.wait()

    def cut(self) -> None:
        """Cancel all that is live. A stream is left unterminated, so that its client sees the cut."""
        self._cut = True
        for task in self._live:
            task.cancel("cut at the end of the drain")

    def track(self, app: ASGIApp) -> ASGIApp:
        """The same application, each of whose requests `live` counts and `cut` can end, on any engine."""

        async def tracked(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
                return
            try:
                with self.counted():
                    await app(scope, receive, send)
            except asyncio.CancelledError:
                if not self._cut:
                    raise

        return tracked

    @contextmanager
    def counted(self) -> Iterator[None]:
        """What the running task does in the block is live: `live` counts it and `cut` ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._live.add(task)
        try:
            yield
        finally:
            self._live.discard(task)

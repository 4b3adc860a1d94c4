"""SIGHUP in one worker: asks the application to reload, one at a time, and never lets a failure end the worker.

What a reload does (build beside, swap, drain the old) is the application's affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.types import ASGIApp

logger = logging.getLogger("routeiq.server")


class Reloads:
    """`ask` may be called at any moment, from a signal handler too; asking twice during a reload means once more."""

    def __init__(self, app: ASGIApp) -> None:
        self._reload: Callable[[], Awaitable[None]] | None = getattr(app, "reload", None)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        self._asked.set()

    @contextlib.asynccontextmanager
    async def answered(self) -> AsyncIterator[None]:
        """While this context is open, what is asked is done; leaving it stops a reload that is under way."""
        task = asyncio.create_task(self._answer(), name="reloads")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _answer(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._reload is None:
                logger.warning("asked to reload, but this application cannot")
                continue
            try:
                await self._reload()
            except Exception:
                logger.exception("the reload failed; the running configuration stays")

"""Watches the lifespan protocol pass between engine and application, so that every engine starts and fails alike.

It changes one thing: an exception at start becomes `startup.failed`. Some engines would else serve without a lifespan.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class StartFailed(Exception):
    """The application said that it cannot start, and why."""


class LifespanWatch:
    """`started` once the application is up (`on_started` has run by then), `failure` if it never came up."""

    def __init__(self, app: ASGIApp, on_started: Callable[[], None]) -> None:
        self._app = app
        self._on_started = on_started
        self.started = False
        self.failure: BaseException | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Not a coroutine function itself: a request pays one call, not one more frame on each await."""
        if scope["type"] == "lifespan":
            return self._lifespan(scope, receive, send)
        return self._app(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._on_started()
                self.started = True
            elif message["type"] == "lifespan.startup.failed" and self.failure is None:
                self.failure = StartFailed(message.get("message") or "the application could not start")
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if self.started:
                raise
            self.failure = error
            await send({"type": "lifespan.startup.failed", "message": type(error).__name__})

"""Takes what is left of a body that the application answered without reading, so that the engine can let go of it.

Hypercorn waits for room in a queue of ten pieces, also to say that the connection ended: a request whose body nobody
reads would stay for ever. How large a body may be is the application's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

LINGER_SECONDS = 5.0
SILENCE_SECONDS = 1.0
"""For how long a client may go on sending what nobody wants, and may pause meanwhile. Many read their answer only after
they have sent all."""
_END_SECONDS = 1.0
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
_CLOSE = (b"connection", b"close")


class Unread:
    """An ASGI application around the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Not a coroutine function itself: a request without a body pays for the look alone."""
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name in _BODY_HEADERS and value != b"0":
                    return _Request(receive, send).serve(self._app, scope)
        return self._app(scope, receive, send)


class _Request:
    """One request with a body. `_all` once the body, or the connection, has come to its end."""

    __slots__ = ("_all", "_early", "_gone", "_held", "_receive", "_send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._all = self._gone = self._early = self._held = False

    async def serve(self, app: ASGIApp, scope: Scope) -> None:
        await app(scope, self.receive, self.send)
        if self._held:  # the application is done, and nothing of the request counts as in flight
            await self._end()

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if not message.get("more_body"):
            self._all = True
            self._gone = message["type"] == "http.disconnect"
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if not self._all:
            if message["type"] == "http.response.start":
                await self._take(0.0, 0.0)  # a small body is here already, and its connection can be kept
                if not self._all:
                    self._early = True
                    headers = [pair for pair in message["headers"] if pair[0].lower() != b"connection"]
                    message = {**message, "headers": [*headers, _CLOSE]}
            elif self._early and message["type"] == "http.response.body" and not message.get("more_body"):
                self._held = True
                message = {**message, "more_body": True}
        await self._send(message)

    async def _take(self, seconds: float, silence: float) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        try:
            async with asyncio.timeout(silence) as patience:
                while not self._all:
                    await self.receive()
                    patience.reschedule(min(end, clock() + silence))
        except TimeoutError:
            pass

    async def _end(self) -> None:
        await self._take(LINGER_SECONDS, SILENCE_SECONDS)
        taking = None if self._gone else asyncio.ensure_future(self._until_gone())
        try:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            if taking is not None:
                await asyncio.wait((taking,), timeout=_END_SECONDS)
        finally:
            if taking is not None:
                taking.cancel()

    async def _until_gone(self) -> None:
        while not self._gone:
            await self.receive()

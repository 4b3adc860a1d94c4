"""One request at a route that is not the road: its body, its answer.

Who may call the route was checked before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from routeiq.limits.reading import Receive, TooLarge, TooSlow, read_body
from routeiq.request.answer_headers import line
from routeiq.request.context import RequestContext
from routeiq.request.delivery import Send
from routeiq.wires.depth import too_deep
from routeiq_sdk.values.http import HttpResponse

if TYPE_CHECKING:
    from routeiq.runtime import Runtime


class Exchange:
    """Request and answer, with the runtime that serves them."""

    __slots__ = (
        "_body",
        "_query",
        "_receive",
        "before_answer",
        "ctx",
        "params",
        "runtime",
        "send",
        "started",
        "status",
    )

    def __init__(
        self,
        runtime: Runtime,
        ctx: RequestContext,
        params: Mapping[str, str],
        query: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        self.runtime = runtime
        self.ctx = ctx
        self.params = params
        self._query = query
        self._receive = receive
        self.send = send
        self.started = False
        self.status = 200
        self.before_answer: Callable[[HttpResponse], Awaitable[None]] | None = None
        """Awaited before the answer goes out; it may raise `RequestError` to answer something else."""
        self._body: bytes | None = None

    @property
    def receive(self) -> Receive:
        """The ASGI receive callable, for the road."""
        return self._receive

    def queries(self) -> list[tuple[str, str]]:
        """The query's parameters, in order."""
        return parse_qsl(self._query.decode("latin-1"), keep_blank_values=True)

    def query(self) -> dict[str, str]:
        """The query's parameters; of several with one name the last counts."""
        return dict(self.queries())

    async def body(self) -> bytes:
        """The whole body within the gateway's bounds, read once. Raises `RequestError`."""
        if self._body is None:
            self._body = await self._read()
        return self._body

    async def _read(self) -> bytes:
        services = self.runtime.services
        bounds, errors = services.bounds, services.errors
        try:
            raw = await read_body(self._receive, bounds.body_bytes, bounds.body_seconds, None)
        except TooLarge:
            raise errors.too_large(bounds.body_bytes / (1 << 20)) from None
        except TooSlow:
            raise errors.slow_body(bounds.body_seconds) from None
        if too_deep(raw, bounds.json_depth):
            raise errors.too_deep(bounds.json_depth)
        return raw

    async def json(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        await self.respond(HttpResponse(status, orjson.dumps(value, default=str)))

    async def respond(self, response: HttpResponse) -> None:
        """Answer."""
        before, self.before_answer = self.before_answer, None
        if before is not None:
            await before(response)
        self.started = True
        self.status = response.status
        own = [(b"content-type", response.media_type.encode())]
        own += [line(name, value) for name, value in response.headers.items()]
        headers = self.runtime.services.headers.around(self.ctx, own)
        if isinstance(response.body, bytes):
            headers.append((b"content-length", b"%d" % len(response.body)))
        await self.send({"type": "http.response.start", "status": response.status, "headers": headers})
        if isinstance(response.body, bytes):
            await self.send({"type": "http.response.body", "body": response.body, "more_body": False})
        else:
            async for block in response.body:
                await self.send({"type": "http.response.body", "body": block, "more_body": True})
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})

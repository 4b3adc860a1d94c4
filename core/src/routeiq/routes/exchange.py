"""One request at a route that is not the road: its body, its answer.

Who may call the route was checked before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from routeiq.limits.reading import Receive, TooLarge, TooSlow, read_body
from routeiq.request.answer_headers import line
from routeiq.request.client_watch import ClientWatch
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
        "_gone",
        "_leave",
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
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        """`leave` gives up the request's place among those in flight; harmless when it was given up before."""
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
        self._leave = leave
        self._gone: asyncio.Task[None] | None = None

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

    async def disconnected(self) -> None:
        """Wait until the client has gone. Ask it once the body was read."""
        if self._gone is None:
            self._gone = asyncio.get_running_loop().create_task(self._watch())
        await asyncio.shield(self._gone)

    def close(self) -> None:
        """Stop watching the client."""
        if self._gone is not None:
            self._gone.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _disconnect(self) -> MutableMapping[str, Any]:
        await self.disconnected()
        return {"type": "http.disconnect"}

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
            if response.long_lived:
                self._leave()
            await self._stream(response.body)

    async def _stream(self, blocks: AsyncIterator[bytes]) -> None:
        """Send a stream to its end. Raises `ClientGone`; the stream is closed however it ends."""
        ended = False
        try:
            async with ClientWatch(self._disconnect, lambda: ended):
                async for block in blocks:
                    await self.send({"type": "http.response.body", "body": block, "more_body": True})
                ended = True
                await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            aclose = getattr(blocks, "aclose", None)
            if aclose is not None:
                await aclose()

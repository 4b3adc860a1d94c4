"""The transport of 2024-11-05: one stream of events per caller, messages posted to the address that it names.

Its servers are of the legacy era; nothing is probed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import urljoin, urlsplit

import orjson

from routeiq_mcp.noting import note
from routeiq_mcp.over import Lasting
from routeiq_mcp.seams import Era, Json, Peer, ServerFacts
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.calling import Caller, json_of, trace_headers, trace_of
from routeiq_mcp.upstream.config import ServerSpec
from routeiq_mcp.upstream.duplex import Duplex
from routeiq_mcp.upstream.failures import Failure
from routeiq_mcp.upstream.handshake import initialize_params, initialized
from routeiq_mcp.upstream.messages import Message
from routeiq_mcp.upstream.patience import Patience
from routeiq_mcp.upstream.sessions import Sessions, key_of
from routeiq_mcp.upstream.words import as_modern, with_meta
from routeiq_mcp.upstream.words import wanted as is_wanted
from routeiq_mcp.wire import fields, versions
from routeiq_mcp.wire.sse import Event, Reader, TooLarge
from routeiq_sdk import Context, Gateway

_STREAM_SECONDS = 24 * 3600.0
_POST_SECONDS = 30.0

T = TypeVar("T")


class SseConnection:
    """One caller's stream. `ctx` is the newest request's: in its name messages are posted."""

    def __init__(self, spec: ServerSpec, caller: Caller, gateway: Gateway) -> None:
        self._spec = spec
        self._gateway = gateway
        self._lasting: Lasting | None = None
        self._caller = caller
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reading: asyncio.Task[None] | None = None
        self._ctx: Context | None = None
        self.duplex = Duplex(spec.name, self._post)
        self.facts: ServerFacts | None = None

    @property
    def alive(self) -> bool:
        """Whether the stream stands."""
        return self.duplex.alive

    async def open(self, ctx: Context, peer: Peer | None) -> None:
        """Open the stream and shake hands. Raises `McpError`."""
        self._ctx, server = ctx, self._spec.name
        self._reading = asyncio.get_running_loop().create_task(self._read(ctx), name=f"mcp: stream of {server}")
        try:
            async with asyncio.timeout(self._spec.timeout_seconds):
                await self._endpoint
            version = self._spec.protocol_version or versions.LATEST_LEGACY
            params = initialize_params(version, peer)
            result = await self.duplex.request("", "initialize", params, None, self._spec.timeout_seconds)
            self.facts = initialized(result, server)
            self._lasting = Lasting(self._gateway, server, "tcp")
            await self.duplex.notify("notifications/initialized")
        except BaseException as error:
            await self.close()
            if isinstance(error, TimeoutError):
                raise failures.late(server) from None
            raise

    async def request(self, ctx: Context, caller: str, method: str, params: Json, peer: Peer | None) -> dict[str, Any]:
        """The result. Raises `McpError`."""
        self._ctx = ctx
        if self.facts is not None:
            note(upstream_version=self.facts.versions[0], upstream_era="legacy")
        sent = with_meta(params, trace_headers(trace_of(ctx, params)))
        return await self.duplex.request(caller, method, sent, peer, self._spec.timeout_seconds)

    async def close(self) -> None:
        """End the stream, and with it the session."""
        self._over("gateway")
        self.duplex.lost(failures.away(self._spec.name, "was closed"))
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        if not self._endpoint.done():
            self._endpoint.cancel()

    def _over(self, by: Literal["server", "gateway"]) -> None:
        if self._lasting is not None and self.facts is not None:
            self._lasting.over(by, self.facts.versions[0])

    async def _read(self, ctx: Context) -> None:
        server = self._spec.name
        failure = failures.away(server, "ended its stream")
        try:
            async with self._caller.call(
                ctx,
                "GET",
                self._spec.url or "",
                headers={"accept": fields.EVENTS},
                patience=Patience(None),
                seconds=_STREAM_SECONDS,
            ) as answer:
                if answer.status != 200:
                    raise failures.status(server, answer.status)
                if answer.media_type != fields.EVENTS:
                    raise failures.wrong_type(server)
                reader = Reader(self._spec.max_bytes)
                async with aclosing(answer.chunks()) as chunks:
                    async for chunk in chunks:
                        for event in reader.feed(chunk):
                            await self._take(event)
        except TooLarge:
            failure = failures.too_large(server, self._spec.max_bytes)
        except Failure as error:
            failure = error
        except Exception as error:  # delegation's: the one who opens hears it
            if not self._endpoint.done():
                self._endpoint.set_exception(error)
        self.duplex.lost(failure)
        self._over("server")
        if not self._endpoint.done():
            self._endpoint.set_exception(failure)

    async def _take(self, event: Event) -> None:
        if event.name == "endpoint" and not self._endpoint.done():
            endpoint = urljoin(self._spec.url or "", event.data.strip())
            if urlsplit(endpoint)[:2] != urlsplit(self._spec.url or "")[:2]:
                raise failures.not_the_protocol(self._spec.name, "its messages would go to another origin")
            self._endpoint.set_result(endpoint)
        elif event.name == "message" and event.data:
            message = json_of(event.data, self._spec.name)
            if isinstance(message, dict):
                await self.duplex.receive(message)

    async def _post(self, message: Message) -> None:
        assert self._ctx is not None
        async with self._caller.call(
            self._ctx,
            "POST",
            await self._endpoint,
            headers={"content-type": fields.JSON},
            body=orjson.dumps(message, default=dict),
            patience=Patience(self._spec.timeout_seconds),
            seconds=_POST_SECONDS,
        ) as answer:
            if answer.status in (404, 410):
                lost = failures.session(self._spec.name)
                self.duplex.lost(lost)
                raise lost
            if answer.status >= 400:
                raise failures.status(self._spec.name, answer.status)


class SseUpstream:
    """One server; each caller has a stream of its own."""

    era: Era = "legacy"

    def __init__(self, spec: ServerSpec, gateway: Gateway) -> None:
        self._spec = spec
        self._gateway = gateway
        self._caller = Caller(spec, gateway)
        self._connections: Sessions[SseConnection] = Sessions(gateway.clock, self._end_later)
        self.version: str | None = None

    @property
    def name(self) -> str:
        """The server's name."""
        return self._spec.name

    async def facts(self, ctx: Context) -> ServerFacts:
        """What it says of itself."""
        key = key_of(ctx, None, self._spec, self._caller.passed_on(ctx))
        known = self._connections.of_caller(key)
        if known is not None and known.facts is not None:
            return known.facts
        async with self._connections.use(key, partial(self._open, ctx, None)) as connection:
            assert connection.facts is not None
            return connection.facts

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """Ask it."""
        key = key_of(ctx, peer, self._spec, self._caller.passed_on(ctx))

        async def ask() -> Json:
            for last in (False, True):
                async with self._connections.use(key, partial(self._open, ctx, peer)) as connection:
                    try:
                        return as_modern(await connection.request(ctx, key.caller, method, params, peer))
                    except Failure as failure:
                        if last or failure.kind != "session":
                            raise
            raise AssertionError("unreachable")

        return await self._in_time(ask())

    async def listen(self, ctx: Context, wanted: Json) -> AsyncGenerator[tuple[str, Json], None]:
        """Listen to a stream of this listener's own."""
        async with self._own(ctx) as connection:
            heard = connection.duplex.heard()
            for uri in wanted.get("resourceSubscriptions") or ():
                await self._in_time(connection.request(ctx, "", "resources/subscribe", {"uri": uri}, None))
            async with aclosing(heard) as notifications:
                async for method, params in notifications:
                    if is_wanted(wanted, method, params):
                        yield method, params

    async def close(self) -> None:
        """End all streams."""
        for connection in self._connections.drain():
            await connection.close()

    @asynccontextmanager
    async def _own(self, ctx: Context) -> AsyncGenerator[SseConnection, None]:
        connection = await self._open(ctx, None)
        try:
            yield connection
        finally:
            await connection.close()

    async def _open(self, ctx: Context, peer: Peer | None) -> SseConnection:
        connection = SseConnection(self._spec, self._caller, self._gateway)
        await self._in_time(connection.open(ctx, peer))
        assert connection.facts is not None
        self.version = connection.facts.versions[0]
        return connection

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._spec.most_seconds):
                return await work
        except TimeoutError:
            raise failures.late(self.name) from None

    def _end_later(self, connection: SseConnection) -> None:
        self._gateway.spawn(f"ends a stream of {self.name}", connection.close)

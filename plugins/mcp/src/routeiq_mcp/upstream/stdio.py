"""A stdio server: one process for everybody, spoken to in whatever era it speaks, started again with back-off.

Processes themselves are in `process`; what may be started is `signed`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any, TypeVar

from routeiq_mcp.noting import note
from routeiq_mcp.over import Lasting
from routeiq_mcp.seams import Era, Json, McpError, Peer, ServerFacts
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.calling import trace_headers, trace_of
from routeiq_mcp.upstream.config import ServerSpec
from routeiq_mcp.upstream.duplex import Duplex
from routeiq_mcp.upstream.eras import PROBE_SECONDS
from routeiq_mcp.upstream.failures import Failure
from routeiq_mcp.upstream.handshake import initialize_params, initialized
from routeiq_mcp.upstream.modern import discovered
from routeiq_mcp.upstream.process import ChildProcess
from routeiq_mcp.upstream.signed import SignedProgram
from routeiq_mcp.upstream.words import as_modern, era_of, modern_meta, with_meta, without_subscription
from routeiq_mcp.upstream.words import wanted as is_wanted
from routeiq_mcp.wire import versions
from routeiq_mcp.wire.keys import SUBSCRIPTION_ID
from routeiq_sdk import Context, Gateway

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

T = TypeVar("T")


class _Link:
    """A process and the connection to it."""

    def __init__(self, spec: ServerSpec, program: SignedProgram) -> None:
        self.child = ChildProcess(spec.name, program, spec.max_bytes, self._receive, self._lost)
        self.duplex = Duplex(spec.name, self.child.send)
        self.facts = ServerFacts({}, {})
        self.lasting: Lasting | None = None

    async def _receive(self, message: dict[str, Any]) -> None:
        await self.duplex.receive(message)

    async def stop(self) -> None:
        """End the process, and with it its session."""
        if self.lasting is not None:
            self.lasting.over("gateway" if self.duplex.alive else "server", _version(self.facts))
        await self.child.stop()

    def _lost(self, failure: Failure) -> None:
        self.duplex.lost(failure)


class StdioUpstream:
    """One server. In the legacy era it has one session for all callers, so its questions go to a client only while a
    single caller is served, and `logging/setLevel` is not used."""

    def __init__(self, spec: ServerSpec, program: SignedProgram, gateway: Gateway) -> None:
        self._spec = spec
        self._program = program
        self._gateway = gateway
        self._lock = asyncio.Lock()
        self._link: _Link | None = None
        self._failed = 0
        self._next_start = 0.0
        self._closed = False

    @property
    def name(self) -> str:
        """The server's name."""
        return self._spec.name

    @property
    def era(self) -> Era | None:
        """The era that it speaks, once that is known."""
        return None if self._link is None else self._link.facts.era

    @property
    def version(self) -> str | None:
        """The version that it is spoken to in."""
        return None if self._link is None else _version(self._link.facts)

    async def facts(self, ctx: Context) -> ServerFacts:
        """What it says of itself."""
        return (await self._in_time(self._running())).facts

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """Ask it."""

        async def ask() -> Json:
            link = await self._running()
            note(upstream_transport="pipe", upstream_version=_version(link.facts), upstream_era=link.facts.era)
            meta: dict[str, Any] = dict(trace_headers(trace_of(ctx, params)))
            if link.facts.era == "modern":
                meta |= modern_meta(_version(link.facts), peer)
            sent = with_meta(params, meta)
            result = await link.duplex.request(_caller(ctx), method, sent, peer, self._spec.timeout_seconds)
            self._failed = 0
            return as_modern(result)

        return await self._in_time(ask())

    async def listen(self, ctx: Context, wanted: Json) -> AsyncGenerator[tuple[str, Json], None]:
        """What it says by itself."""
        link = await self._in_time(self._running())
        if link.facts.era == "modern":
            subscribing = self._subscribe(link, wanted)
        else:
            subscribing = None
            for uri in wanted.get("resourceSubscriptions") or ():
                asked = link.duplex.request("", "resources/subscribe", {"uri": uri}, None, self._spec.timeout_seconds)
                await self._in_time(asked)
        try:
            async with aclosing(link.duplex.heard()) as notifications:
                async for method, params in notifications:
                    own = subscribing is None or SUBSCRIPTION_ID in (params.get("_meta") or {})
                    if own and is_wanted(wanted, method, params):
                        yield method, without_subscription(params)
        finally:
            if subscribing is not None:
                subscribing.cancel()
                await asyncio.wait([subscribing])

    async def close(self) -> None:
        """End the process."""
        self._closed = True
        async with self._lock:
            if self._link is not None:
                await self._link.stop()
                self._link = None

    def _subscribe(self, link: _Link, wanted: Json) -> asyncio.Task[None]:
        """The request that is open for as long as somebody listens; its end is the end of the stream."""
        params = with_meta({"notifications": dict(wanted)}, modern_meta(_version(link.facts), None))

        async def subscribe() -> None:
            try:
                await link.duplex.request("", "subscriptions/listen", params, None, None)
            except McpError:
                return

        return asyncio.get_running_loop().create_task(subscribe(), name=f"mcp: subscription at {self.name}")

    async def _running(self) -> _Link:
        async with self._lock:
            if self._closed:
                raise failures.away(self.name, "was closed")
            if self._link is not None and self._link.duplex.alive:
                return self._link
            await self._stop()
            now = self._gateway.clock.monotonic()
            if now < self._next_start:
                raise failures.away(self.name, "has ended and is started again in a moment")
            self._next_start = now + min(_FIRST_PAUSE * 2**self._failed, _LONGEST_PAUSE)
            self._failed = min(self._failed + 1, 16)
            link = _Link(self._spec, self._program)
            try:
                await link.child.start()
                link.facts = await self._greet(link)
                if link.facts.era == "legacy":
                    link.lasting = Lasting(self._gateway, self.name, "pipe")
            except BaseException:
                await link.child.stop()
                raise
            self._link = link
            return link

    async def _stop(self) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            await link.stop()

    async def _greet(self, link: _Link) -> ServerFacts:
        """Find out the era: the newest is tried first, and whoever does not know it is given a handshake."""
        pinned, silence = self._spec.protocol_version, self._spec.timeout_seconds
        if pinned is None or era_of(pinned) == "modern":
            version = pinned or versions.LATEST_MODERN
            params = {"_meta": modern_meta(version, None)}
            seconds = silence if pinned is not None else min(PROBE_SECONDS, silence)
            try:
                facts = discovered(await link.duplex.request("", "server/discover", params, None, seconds))
                if version in facts.versions:
                    return facts
            except Failure as failure:
                if failure.kind != "late" or pinned is not None:
                    raise
            except McpError:
                if pinned is not None:
                    raise
            if pinned is not None:
                raise failures.no_version(self.name)
        params = initialize_params(pinned or versions.LATEST_LEGACY, None)
        params["capabilities"] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
        facts = initialized(await link.duplex.request("", "initialize", params, None, silence), self.name)
        await link.duplex.notify("notifications/initialized")
        return facts

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._spec.most_seconds):
                return await work
        except TimeoutError:
            raise failures.late(self.name) from None


def _version(facts: ServerFacts) -> str:
    known = [version for version in versions.MODERN if version in facts.versions]
    return known[-1] if facts.era == "modern" and known else facts.versions[0]


def _caller(ctx: Context) -> str:
    principal = ctx.identified
    return "" if principal is None else f"{principal.kind}\0{principal.id}\0{principal.user or ''}"

"""A server over streamable HTTP, in whatever era it speaks, as an `Upstream`.

The eras' own wires are in `modern` and `legacy`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from routeiq_mcp.seams import Era, Json, McpError, Peer, ServerFacts
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.calling import Caller
from routeiq_mcp.upstream.config import ServerSpec
from routeiq_mcp.upstream.eras import PROBE_SECONDS, Eras, Verdict, handshake_refused, of_another_era
from routeiq_mcp.upstream.failures import SessionLost
from routeiq_mcp.upstream.legacy import LegacyHttp, LegacySession
from routeiq_mcp.upstream.modern import Declined, ModernHttp, discovered
from routeiq_mcp.upstream.patience import Patience
from routeiq_mcp.upstream.sessions import Sessions, key_of
from routeiq_mcp.upstream.words import wanted as is_wanted
from routeiq_sdk import Context, Gateway

LISTEN_SECONDS = 24 * 3600.0
_FAREWELL_SECONDS = 5.0

T = TypeVar("T")


class HttpUpstream:
    """One server behind one URL."""

    def __init__(self, spec: ServerSpec, gateway: Gateway) -> None:
        url = spec.url or ""
        self._spec = spec
        self._gateway = gateway
        self._caller = Caller(spec, gateway)
        self._modern = ModernHttp(self._caller, url, spec.max_bytes)
        self._legacy = LegacyHttp(self._caller, url, spec.max_bytes, spec.timeout_seconds, gateway)
        self._eras = Eras(spec.name, spec.protocol_version, self._probe, gateway.clock)
        self._sessions: Sessions[LegacySession] = Sessions(gateway.clock, self._end_later)

    @property
    def name(self) -> str:
        """The server's name."""
        return self._spec.name

    @property
    def era(self) -> Era | None:
        """The era that it speaks, once that is known."""
        return None if self._eras.known is None else self._eras.known.era

    @property
    def version(self) -> str | None:
        """The version that it is spoken to in."""
        return None if self._eras.known is None else self._eras.known.version

    async def facts(self, ctx: Context) -> ServerFacts:
        """What it says of itself."""
        return await self._in_time(self._in_its_era(ctx, self._modern_facts, self._legacy_facts))

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """Ask it."""
        modern = partial(self._modern_request, method=method, params=params, peer=peer)
        legacy = partial(self._legacy_request, method=method, params=params, peer=peer)
        return await self._in_time(self._in_its_era(ctx, modern, legacy))

    async def listen(self, ctx: Context, wanted: Json) -> AsyncGenerator[tuple[str, Json], None]:
        """Listen to it: in the legacy era to the caller's own session, or else to one of the listener's own."""
        verdict = await self._in_time(self._eras.verdict(ctx))
        heard = (
            self._listen_modern(ctx, verdict, wanted) if verdict.era == "modern" else self._listen_legacy(ctx, wanted)
        )
        try:
            async with aclosing(heard) as notifications:
                async for notification in notifications:
                    yield notification
        except Declined as declined:
            raise declined.for_caller(self.name) from None

    async def close(self) -> None:
        """End all sessions, for as long as servers take it."""
        sessions = self._sessions.drain()
        if sessions:
            ending = [asyncio.ensure_future(self._legacy.end(session)) for session in sessions]
            _, late = await asyncio.wait(ending, timeout=_FAREWELL_SECONDS)
            for task in late:
                task.cancel()

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._spec.most_seconds):
                return await work
        except TimeoutError:
            raise failures.late(self.name) from None

    async def _in_its_era(
        self,
        ctx: Context,
        modern: Callable[[Context, Verdict], Awaitable[T]],
        legacy: Callable[[Context, Verdict], Awaitable[T]],
    ) -> T:
        """Ask in the era that the server is known for, and once more when it turns out to speak the other."""
        verdict = await self._eras.verdict(ctx)
        try:
            return await (modern if verdict.era == "modern" else legacy)(ctx, verdict)
        except Declined as declined:
            now = await self._eras.again(ctx, verdict) if of_another_era(declined) else verdict
            if now.era == verdict.era:
                raise declined.for_caller(self.name) from None
        try:
            return await (modern if now.era == "modern" else legacy)(ctx, now)
        except Declined as declined:
            raise declined.for_caller(self.name) from None

    async def _probe(self, ctx: Context, version: str) -> Json:
        patience = Patience(min(PROBE_SECONDS, self._spec.timeout_seconds))
        return await self._modern.discover(ctx, version, patience, self._spec.most_seconds)

    async def _modern_facts(self, ctx: Context, verdict: Verdict) -> ServerFacts:
        patience = Patience(self._spec.timeout_seconds)
        return discovered(await self._modern.discover(ctx, verdict.version, patience, self._spec.most_seconds))

    async def _modern_request(self, ctx: Context, verdict: Verdict, method: str, params: Json, peer: Peer) -> Json:
        patience = Patience(self._spec.timeout_seconds)
        return await self._modern.request(ctx, verdict.version, method, params, peer, patience, self._spec.most_seconds)

    async def _legacy_facts(self, ctx: Context, verdict: Verdict) -> ServerFacts:
        key = key_of(ctx, None, self._spec, self._caller.passed_on(ctx))
        known = self._sessions.of_caller(key)
        if known is not None:
            return known.facts
        async with self._sessions.use(key, partial(self._open, ctx, None, verdict)) as session:
            return session.facts

    async def _legacy_request(self, ctx: Context, verdict: Verdict, method: str, params: Json, peer: Peer) -> Json:
        key = key_of(ctx, peer, self._spec, self._caller.passed_on(ctx))
        for _ in range(2):
            async with self._sessions.use(key, partial(self._open, ctx, peer, verdict)) as session:
                try:
                    return await self._legacy.request(ctx, session, method, params, peer, self._spec.most_seconds)
                except SessionLost:
                    self._legacy.lost(session)
                    self._sessions.forget(session)
        raise failures.session(self.name)

    async def _open(self, ctx: Context, peer: Peer | None, verdict: Verdict) -> LegacySession:
        try:
            return await self._legacy.open(ctx, peer, verdict.version, self._spec.most_seconds)
        except failures.Failure:
            raise
        except McpError as error:
            if handshake_refused(error):
                raise Declined(400, error) from None  # perhaps it has no handshake any more
            raise

    def _listen_modern(self, ctx: Context, verdict: Verdict, wanted: Json) -> AsyncGenerator[tuple[str, Json], None]:
        return self._modern.listen(ctx, verdict.version, wanted, LISTEN_SECONDS)

    async def _listen_legacy(self, ctx: Context, wanted: Json) -> AsyncGenerator[tuple[str, Json], None]:
        uris = [uri for uri in wanted.get("resourceSubscriptions") or () if isinstance(uri, str)]
        key = key_of(ctx, None, self._spec, self._caller.passed_on(ctx))
        for _ in range(2):
            session = self._sessions.of_caller(key)
            own = session is None or session.listened  # a session has one such stream
            if session is None or own:
                verdict = await self._in_time(self._eras.verdict(ctx))
                session = await self._in_time(self._open(ctx, None, verdict))
            session.listened = True
            try:
                with self._sessions.held(session):
                    async with aclosing(self._legacy.listen(ctx, session, uris, LISTEN_SECONDS)) as notifications:
                        async for method, params in notifications:
                            if is_wanted(wanted, method, params):
                                yield method, params
                return
            except SessionLost:
                self._legacy.lost(session)
                self._sessions.forget(session)
            finally:
                session.listened = False
                if own:
                    self._end_later(session)

    def _end_later(self, session: LegacySession) -> None:
        self._gateway.spawn(f"ends a session of {self.name}", partial(self._legacy.end, session))

"""A lasting link to a Redis store: one line at a time, opened again when it is lost; fails at once while the store is
away.

What is asked over it is the business of `redis_state` and `redis_meters`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from redis.exceptions import (
    AskError,
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

from routeiq.state.breaker import Breaker
from routeiq.state.errors import StateFull
from routeiq.state.redis_line import CALL_SECONDS, Line, LineLost, Word
from routeiq.state.redis_scripts import Script
from routeiq.state.redis_servers import RedisServers, identity
from routeiq_sdk import ConfigError, StoreUnavailable
from routeiq_sdk.gateway import Clock

log = structlog.get_logger("routeiq.state")

_PROBE_SECONDS = 0.5
_ELSEWHERE = (AskError, ClusterDownError, ReadOnlyError, TryAgainError)
"""Refusals that say: not me (any more). Nothing was done."""


class RedisLink:
    """Asks the server that has our keys. A line that broke is replaced by the next call; when that fails, or the server
    falls silent, calls raise `StoreUnavailable` at once until a probe in the background, every half second, gets
    through."""

    def __init__(self, servers: RedisServers, clock: Clock) -> None:
        self.servers = servers
        self._breaker = Breaker(clock)
        self._line: Line | None = None
        self._connecting: asyncio.Task[Line] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Connect the first time. Raises `ConfigError` when the server does not let us in, else `StoreUnavailable`."""
        try:
            self._adopt(await self.servers.open())
        except LineLost as lost:
            if lost.refused:
                raise ConfigError(
                    f"the state store at {self.servers.place}: {lost.reason}",
                    mend="correct the user, the password, or what this user may do",
                ) from None
            raise self._unavailable(lost.reason) from None

    async def call(self, *words: Word, seconds: float = CALL_SECONDS) -> Any:
        """The reply to one command. Raises `StoreUnavailable`, or `StateFull` when the server has no memory left."""
        return await self._ask(lambda line: words, seconds)

    async def run(self, script: Script, keys: Sequence[str], words: Sequence[Word]) -> Any:
        """The reply of a script, in one round trip; the text is sent only to a server that does not know it. Raises as
        `call` does, and `OverflowError` when the script says so."""
        try:
            return await self._ask(lambda line: script.called(line.identity, keys, words), CALL_SECONDS)
        except NoScriptError:
            return await self._ask(lambda line: script.sent(line.identity, keys, words), CALL_SECONDS)

    async def refreshed(self, seen: str) -> bool:
        """Ask the server again what it is; says whether that is something else than `seen`."""
        line = await self._ready()
        try:
            told = await identity(line)
        except (LineLost, ResponseError) as error:
            raise self._unavailable(str(error)) from None
        line.identity = told
        return told != seen

    @property
    def identity(self) -> str:
        """What the server of the present line is; empty without a line."""
        return self._line.identity if self._line is not None else ""

    async def aclose(self) -> None:
        """Close the line and end the probe."""
        self._closed = True
        tasks = [task for task in (self._connecting, self._probing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._line is not None:
            await self._line.aclose()

    async def _ask(self, words: Callable[[Line], Sequence[Word]], seconds: float) -> Any:
        reason = ""
        for _ in range(2):
            line = await self._ready()
            try:
                return await line.ask(*words(line), seconds=seconds)
            except LineLost as lost:
                reason = lost.reason
                if lost.sent:
                    break
            except _ELSEWHERE as refusal:
                reason = f"{type(refusal).__name__}: {refusal}"
                await line.aclose()
            except NoScriptError:
                raise
            except ResponseError as refusal:
                raise _error(refusal) from None
        else:
            self._away(reason)
        raise self._unavailable(reason)

    async def _ready(self) -> Line:
        if self._line is not None:
            return self._line
        if self._breaker.open or self._closed:
            raise self._unavailable(self._breaker.reason or "the gateway stops")
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name="redis connect")
            self._connecting.add_done_callback(_looked_at)
        try:
            # The next caller needs the connection, too: one that goes away does not take it along.
            return await asyncio.shield(self._connecting)
        except LineLost as lost:
            raise self._unavailable(lost.reason) from None

    async def _connect(self) -> Line:
        try:
            line = await self.servers.open()
        except LineLost as lost:
            self._away(lost.reason)
            raise
        finally:
            self._connecting = None
        self._adopt(line)
        return line

    def _adopt(self, line: Line) -> None:
        if self._breaker.open:
            log.info("the state store answers again", store=str(self.servers.place))
        self._breaker.succeeded()
        line.on_lost = self._lost
        self._line = line

    def _lost(self, line: Line, lost: LineLost) -> None:
        if self._line is line:
            self._line = None
            if lost.late and not self._closed:
                self._away(lost.reason)

    def _away(self, reason: str) -> None:
        if not self._breaker.open:
            log.warning("the state store is away", store=str(self.servers.place), reason=reason)
        self._breaker.failed(reason, certain=True)
        if self._probing is None and not self._closed:
            self._probing = asyncio.create_task(self._probe(), name="redis probe")

    async def _probe(self) -> None:
        try:
            while True:
                try:
                    self._adopt(await self.servers.open())
                    return
                except LineLost as lost:
                    self._breaker.failed(lost.reason, certain=True)
                await asyncio.sleep(_PROBE_SECONDS)
        finally:
            self._probing = None

    def _unavailable(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(f"the state store (redis) at {self.servers.place} is away: {reason}")


def _error(refusal: ResponseError) -> Exception:
    """What a caller is told of a refusal."""
    # A script of Redis 6 wraps the reason into another error. It is always its first write that is refused.
    if isinstance(refusal, OutOfMemoryError) or "OOM command not allowed" in str(refusal):
        return StateFull("the state store has no memory left")
    kind, _, name = str(refusal).partition(" ")
    if kind == "OVERFLOW":
        return OverflowError(f"{name!r} would leave 64 bits")
    return refusal


def _looked_at(task: asyncio.Task[Line]) -> None:
    """Whoever waited for it may be gone; an error that nobody reads is no news then."""
    if not task.cancelled():
        task.exception()

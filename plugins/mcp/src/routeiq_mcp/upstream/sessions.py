"""Sessions with a server, one for each caller: no two callers ever share one, and none is opened twice at once.

What a session is on the wire is its transport's business.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import orjson

from routeiq_mcp.seams import Peer
from routeiq_mcp.upstream.config import ServerSpec
from routeiq_mcp.upstream.words import client_of
from routeiq_sdk import Context
from routeiq_sdk.gateway import Clock

MOST_SESSIONS = 1000
IDLE_SECONDS = 900.0


class Kept(Protocol):
    """What a pool keeps."""

    @property
    def alive(self) -> bool:
        """Whether it can be used (any more)."""


S = TypeVar("S", bound=Kept)


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Whose session it is, and what else decides what the server may know in it."""

    caller: str
    rest: str


@dataclass(slots=True)
class _Entry(Generic[S]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    session: S | None = None
    users: int = 0
    used_at: float = 0.0


def key_of(ctx: Context, peer: Peer | None, spec: ServerSpec, passed_on: Mapping[str, str]) -> SessionKey:
    """The caller, the client that it uses, and the headers of it that go upstream."""
    principal = ctx.identified
    caller = "" if principal is None else f"{principal.kind}\0{principal.id}\0{principal.user or ''}"
    info, capabilities = client_of(peer)
    passthrough = ctx.headers.get(spec.auth.header) if spec.auth.header is not None else None
    told = [info, capabilities, dict(passed_on), passthrough]
    digest = hashlib.sha256(orjson.dumps(told, default=dict, option=orjson.OPT_SORT_KEYS))
    return SessionKey(caller, digest.hexdigest())


class Sessions(Generic[S]):
    """A bounded pool. `open` makes a session, `close` ends it in the background and never raises."""

    def __init__(self, clock: Clock, close: Callable[[S], None], most: int = MOST_SESSIONS) -> None:
        self._clock = clock
        self._close = close
        self._most = most
        self._entries: OrderedDict[SessionKey, _Entry[S]] = OrderedDict()

    @asynccontextmanager
    async def use(self, key: SessionKey, open: Callable[[], Awaitable[S]]) -> AsyncIterator[S]:
        """The session of `key`, opened when there is none; it is not evicted while it is used."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
        self._entries.move_to_end(key)
        entry.users += 1
        try:
            async with entry.lock:
                if entry.session is None or not entry.session.alive:
                    entry.session = await open()
                session = entry.session
            yield session
        finally:
            entry.users -= 1
            entry.used_at = self._clock.monotonic()
            self._tidy()

    def of_caller(self, key: SessionKey) -> S | None:
        """The session that this caller used last."""
        for other, entry in reversed(self._entries.items()):
            if other.caller == key.caller and entry.session is not None and entry.session.alive:
                return entry.session
        return None

    @contextmanager
    def held(self, session: S) -> Iterator[None]:
        """While somebody listens, the session is not evicted."""
        entries = [entry for entry in self._entries.values() if entry.session is session]
        for entry in entries:
            entry.users += 1
        try:
            yield
        finally:
            for entry in entries:
                entry.users -= 1
                entry.used_at = self._clock.monotonic()

    def forget(self, session: S) -> None:
        """The server does not know it any more."""
        for entry in self._entries.values():
            if entry.session is session:
                entry.session = None

    def drain(self) -> list[S]:
        """All sessions, which the pool forgets."""
        found = [entry.session for entry in self._entries.values() if entry.session is not None]
        self._entries.clear()
        return found

    def __len__(self) -> int:
        return sum(entry.session is not None for entry in self._entries.values())

    def _tidy(self) -> None:
        """Those at the front were used longest ago, so the first that may stay ends the search."""
        now = self._clock.monotonic()
        for key, entry in list(self._entries.items()):
            if entry.users:
                continue
            if entry.session is not None and len(self._entries) <= self._most and now - entry.used_at <= IDLE_SECONDS:
                return
            del self._entries[key]
            if entry.session is not None and entry.session.alive:
                self._close(entry.session)

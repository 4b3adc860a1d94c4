"""Legacy sessions that every replica can answer: the session id itself says what was agreed at `initialize`.

What changes later (its end, its log level, what it subscribed to) is in the shared state; most sessions change nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from routeiq_mcp.door.seal import Seal, SealBroken
from routeiq_mcp.noting import session_mark
from routeiq_mcp.seams import Json
from routeiq_mcp.wire import messages, versions
from routeiq_sdk.gateway import Clock, StateService

_TABLE: Final = "mcp.sessions"
_SUBSCRIBED: Final = "mcp.subscriptions"
_MOST_CONTENT: Final = 1400
"""Bytes before sealing; the id stays below 2,000 characters, which every proxy lets pass as a header."""
_MOST_SUBSCRIBED: Final = 256
_ENDED: Final = b"-"
DEFAULT_LEVEL: Final = "info"


class NoSession(Exception):
    """The id is not ours, is somebody else's or another face's, or the session has ended."""


@dataclass(frozen=True, slots=True)
class Session:
    """What was agreed at `initialize`. `key` names the session for the gateway itself."""

    key: str
    version: str
    capabilities: Json
    info: Json | None
    expires: int
    begun_ms: int | None = None
    """Unix time in milliseconds; unknown of a session that an earlier version of the gateway opened."""
    mark: str = ""
    """What may be told of its id."""


class Sessions:
    """Opens, recognises and ends sessions. Holds nothing in memory."""

    def __init__(self, sealing: Sequence[bytes], state: StateService, clock: Clock, seconds: float) -> None:
        self._seal = Seal(sealing, "session")
        self._state = state
        self._clock = clock
        self._seconds = seconds

    def open(self, owner: str, version: str, capabilities: Json, info: Json | None) -> tuple[str, Session]:
        """A new session of `owner`, and its id."""
        now = self._clock.now_ns()
        expires = now // 1_000_000_000 + int(self._seconds)
        key = os.urandom(12).hex()
        kept, said = _small(capabilities, info)
        begun = now // 1_000_000
        content = messages.encode({"k": key, "v": version, "c": kept, "i": said, "e": expires, "b": begun})
        id = self._seal.close(content, owner)
        return id, Session(key, version, kept, said, expires, begun, session_mark(id) or "")

    def read(self, id: str, owner: str) -> Session:
        """The session that `id` names, if it is the owner's and has not expired. Raises `NoSession`."""
        try:
            said = messages.decode(self._seal.open(id, owner))
        except (SealBroken, ValueError):
            raise NoSession from None
        session = Session(said["k"], said["v"], said["c"], said["i"], said["e"], said.get("b"), session_mark(id) or "")
        if session.expires <= self._clock.now_ns() // 1_000_000_000 or session.version not in versions.LEGACY:
            raise NoSession
        return session

    async def level(self, session: Session) -> str:
        """The least level of log messages that its client wants.

        Asked once a request, so it is also where an ended session is found: raises `NoSession`, `StoreUnavailable`.
        """
        said = await self._state.get(_TABLE, session.key)
        if said is None:
            return DEFAULT_LEVEL
        if said == _ENDED:
            raise NoSession
        return said.decode()

    async def end(self, session: Session) -> None:
        """Remember that it ended, until it would have expired."""
        await self._state.put(_TABLE, session.key, _ENDED, ttl_seconds=self._left(session))

    async def set_level(self, session: Session, level: str) -> None:
        """What its client wants to hear of logs from now on."""
        await self._state.put(_TABLE, session.key, level.encode(), ttl_seconds=self._left(session))

    async def subscribe(self, session: Session, uri: str) -> None:
        """Begin a subscription to a resource. Raises `ValueError` when there are too many."""
        if len(await self.subscribed(session)) >= _MOST_SUBSCRIBED:
            raise ValueError(f"a session subscribes to at most {_MOST_SUBSCRIBED} resources")
        await self._state.put(_SUBSCRIBED, _place(session, uri), uri.encode(), ttl_seconds=self._left(session))

    async def unsubscribe(self, session: Session, uri: str) -> None:
        """End a subscription; harmless when there is none."""
        await self._state.delete(_SUBSCRIBED, _place(session, uri))

    async def subscribed(self, session: Session) -> list[str]:
        """The resources that the session subscribed to."""
        return [uri.decode() async for _, uri in self._state.scan(_SUBSCRIBED, session.key + ":")]

    def _left(self, session: Session) -> float:
        return max(1.0, session.expires - self._clock.now_ns() / 1e9)


def _small(capabilities: Json, info: Json | None) -> tuple[Json, Json | None]:
    """What fits into an id: everything, else what the gateway itself looks at."""
    if len(messages.encode([capabilities, info])) <= _MOST_CONTENT - 150:
        return capabilities, info
    kept: dict[str, Any] = {}
    for name, subs in (
        ("elicitation", ("form", "url")),
        ("sampling", ("tools", "context")),
        ("roots", ("listChanged",)),
    ):
        known = capabilities.get(name)
        if isinstance(known, Mapping):
            kept[name] = {sub: _flat(known[sub]) for sub in subs if sub in known}
    said = None
    if info is not None:
        said = {part: str(info[part])[:100] for part in ("name", "title", "version") if part in info}
    return kept, said


def _flat(value: Any) -> Any:
    return value if isinstance(value, bool) else {}


def _place(session: Session, uri: str) -> str:
    return f"{session.key}:{hashlib.sha256(uri.encode()).hexdigest()[:32]}"

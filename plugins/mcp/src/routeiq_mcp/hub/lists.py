"""Lists of one server (tools, resources, templates, prompts): all their pages, kept for as long as the server says.

A list that is private belongs to one caller and is shown to nobody else. What of a list a caller may see is not decided
here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from routeiq_mcp.hub.conversation import heard_of_itself
from routeiq_mcp.seams import Era, Json, McpError, Peer, Upstream
from routeiq_sdk import Context
from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.delegation import ConsentNeeded
from routeiq_sdk.values.tools import ToolService

INTERNAL = -32603
KEYS: Mapping[str, str] = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "skills/list": "skills",
}
"""The lists of the protocol and of its extension for skills, and where in the result their entries stand."""
_MOST_PAGES = 200
_SHARED = ""


class Silent:
    """Stands in for the client where a list is asked for that others will see, too: it takes and answers nothing."""

    era: Era = "modern"
    version: str = "2026-07-28"
    capabilities: Json = {}
    info: Json | None = None
    log_level: str | None = None
    facts: Mapping[str, str] = {}

    async def notify(self, method: str, params: Json) -> None:
        """Dropped."""

    async def ask(self, method: str, params: Json) -> Json:
        """Nobody is there to answer."""
        raise McpError(-32601, "a list is asked for in nobody's name, so nobody can be asked")


SILENT: Peer = Silent()


@dataclass(eq=False, slots=True)
class Listed:
    """The entries of one list. `until` and `at` are moments of the monotonic clock."""

    entries: tuple[Json, ...]
    at: float
    until: float
    ttl_ms: int
    private: bool
    raw: tuple[Json, ...] | None = None
    """What the server itself told, where guards changed it."""

    @property
    def told(self) -> tuple[Json, ...]:
        """The server's own words."""
        return self.entries if self.raw is None else self.raw

    def left_ms(self, now: float) -> int:
        """How long clients may keep it."""
        return max(0, int(min(self.ttl_ms, (self.until - now) * 1000)))


@dataclass(slots=True)
class _Lock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long lists are kept and how large they may be. `list_seconds` overrules the server, `default_seconds` is for
    one that says nothing; `shared` says that every caller is the same to it."""

    list_seconds: float | None = None
    default_seconds: float = 60.0
    shared: bool = True
    most_entries: int = 20_000
    private_lists: int = 256


class Lists:
    """The lists of one server."""

    def __init__(self, upstream: Upstream, clock: Clock, keeping: Keeping, tools: Callable[[], ToolService]) -> None:
        self._upstream = upstream
        self._tools = tools
        self._clock = clock
        self._keeping = keeping
        self._kept: OrderedDict[tuple[str, str], Listed] = OrderedDict()
        self._locks: dict[tuple[str, str], _Lock] = {}
        self._dropped: dict[str, int] = {}

    async def get(self, ctx: Context, method: str, caller: str, *, older: float = 0.0) -> Listed:
        """The list as this caller sees it: kept, or asked for. `older` is the age in seconds up to which one that is
        out of date is good enough.

        Raises what the upstream raises.
        """
        found = self._find(method, caller, older)
        if found is not None:
            return found
        key = (method, caller)
        lock = self._locks.setdefault(key, _Lock())
        lock.users += 1
        try:
            async with lock.lock:
                found = self._find(method, caller, older)
                return found if found is not None else await self._fetch(ctx, method, caller)
        finally:
            lock.users -= 1
            if not lock.users and self._locks.get(key) is lock:
                del self._locks[key]

    def peek(self, method: str, caller: str) -> Listed | None:
        """What is kept, however old."""
        return self._kept.get((method, caller)) or self._kept.get((method, _SHARED))

    def drop(self, method: str | None = None) -> None:
        """A list is not what it was (`None`: all of them): forget it, and do not keep what is under way."""
        for each in KEYS if method is None else (method,):
            self._dropped[each] = self._dropped.get(each, 0) + 1
        for key in [key for key in self._kept if method in (None, key[0])]:
            del self._kept[key]

    def _find(self, method: str, caller: str, older: float) -> Listed | None:
        now = self._clock.monotonic()
        for key in ((method, _SHARED), (method, caller)):
            found = self._kept.get(key)
            if found is not None and (now < found.until or now - found.at < older):
                self._kept.move_to_end(key)
                return found
        return None

    async def _fetch(self, ctx: Context, method: str, caller: str) -> Listed:
        generation = self._dropped.get(method, 0)
        try:
            listed = await self._ask(ctx, method, caller)
        except ConsentNeeded:
            old = self._kept.get((method, caller))  # what this very caller saw before stays visible
            if old is None:
                raise
            return old
        if generation == self._dropped.get(method, 0):
            key = (method, caller if listed.private else _SHARED)
            self._kept[key] = listed
            self._kept.move_to_end(key)
            if not listed.private:
                self._kept.pop((method, caller), None)
            while len(self._kept) > self._keeping.private_lists * len(KEYS):
                self._kept.popitem(last=False)
        return listed

    async def _ask(self, ctx: Context, method: str, caller: str) -> Listed:
        entries: list[Json] = []
        ttl: float | None = None
        told_private: bool | None = None
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            params: dict[str, Any] = {"cursor": cursor} if cursor is not None else {}
            asking = self._upstream.request(ctx, method, params, SILENT)
            result = await heard_of_itself(self._tools(), ctx, self._upstream.name, method, asking)
            page = result.get(KEYS[method])
            if not isinstance(page, list | tuple):
                raise McpError(INTERNAL, f"server {self._upstream.name} answered {method} without {KEYS[method]}")
            entries += [entry for entry in page if isinstance(entry, Mapping)]
            told = result.get("ttlMs")
            if isinstance(told, int | float) and not isinstance(told, bool) and told >= 0:
                ttl = told if ttl is None else min(ttl, told)
            if "cacheScope" in result:
                told_private = bool(told_private) or result["cacheScope"] != "public"
            following = result.get("nextCursor")
            if following is None:
                break
            if not isinstance(following, str) or following == cursor:
                raise McpError(INTERNAL, f"the pages of {method} of server {self._upstream.name} never end")
            cursor = following
            if len(entries) > self._keeping.most_entries:
                break
        else:
            raise McpError(INTERNAL, f"the pages of {method} of server {self._upstream.name} never end")
        if len(entries) > self._keeping.most_entries:
            raise McpError(
                INTERNAL,
                f"server {self._upstream.name} lists more than {self._keeping.most_entries} entries; "
                "raise routeiq.plugins.mcp.most_entries",
            )
        return self._listed(method, caller, tuple(entries), ttl, told_private)

    def _listed(
        self, method: str, caller: str, entries: tuple[Json, ...], ttl: float | None, told_private: bool | None
    ) -> Listed:
        now = self._clock.monotonic()
        keeping = self._keeping
        seconds = keeping.default_seconds if ttl is None else ttl / 1000
        if keeping.list_seconds is not None:
            seconds = keeping.list_seconds
        old = self.peek(method, caller)
        if old is not None and old.entries == entries:
            entries = old.entries  # the same object, so that what was made of it is still good
        private = told_private if told_private is not None else not keeping.shared
        return Listed(entries, now, now + seconds, int(seconds * 1000), private)

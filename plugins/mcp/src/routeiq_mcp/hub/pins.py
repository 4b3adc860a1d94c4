"""Definitions of tools and heads of skills, held fast: what was seen first (or approved) is offered, what changed waits
in quarantine.

A pin is a hash; definitions themselves are not kept, and no caller is named.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import structlog

from routeiq_mcp.hub.kept import Kept
from routeiq_sdk import Gateway, StoreUnavailable
from routeiq_sdk.events import McpSkillV1, McpToolV1
from routeiq_sdk.events.contract import moment

log = structlog.get_logger("routeiq.mcp")

_SHARDS = 16
_TRIES = 3
_MOST = 50_000
_NONE: Mapping[str, Pin] = {}
FirstSight = Literal["trust_first_use", "approve_all"]
_SKILLS = "skills#"


def skills_of(server: str) -> str:
    """The name under which the pins of a server's skills are kept; those of its tools are kept under its id."""
    return f"{_SKILLS}{server}"


@dataclass(frozen=True, slots=True)
class Pin:
    """What is known of one tool or skill: the hash that is approved (`""`: none yet), and the one that waits."""

    approved: str
    waiting: str | None = None


class Pins:
    """The pins of all servers, the same in all processes that share the state."""

    def __init__(self, gateway: Gateway, first_sight: FirstSight) -> None:
        self._gateway = gateway
        self._first_sight = first_sight
        self.kept = Kept(gateway, "pins")
        self._read: dict[str, tuple[dict[str, bytes], Mapping[str, Pin]]] = {}
        self._read_version = -2

    def of(self, server: str) -> Mapping[str, Pin]:
        """The pins of a server, by tool: the same object as long as none of them changed."""
        if self._read_version != self.kept.version:
            raw: dict[str, dict[str, bytes]] = {}
            for key, value in self.kept.records.items():
                raw.setdefault(key.rpartition("#")[0], {})[key] = value
            self._read = {name: self._opened(name, records) for name, records in raw.items()}
            self._read_version = self.kept.version
        found = self._read.get(server)
        return found[1] if found is not None else _NONE

    def _opened(self, server: str, records: dict[str, bytes]) -> tuple[dict[str, bytes], Mapping[str, Pin]]:
        old = self._read.get(server)
        if old is not None and old[0] == records:
            return old
        return records, {tool: pin for value in records.values() for tool, pin in _opened(value).items()}

    async def judge(self, server: str, seen: Mapping[str, str]) -> frozenset[str]:
        """Those of the tools, given with their hashes, that may be offered. What is new is pinned, what changed is
        noted for an administrator.

        While the shared state is away, what is new waits, since nobody could be held to it.
        """
        for _ in range(_TRIES):
            news = self._news(self.of(server), seen)
            if not news:
                break
            try:
                await self._write(server, news)
            except StoreUnavailable:
                log.warning("tools that are new or changed wait: the shared store is away", server=server)
                break
        pins = self.of(server)
        return frozenset(tool for tool, digest in seen.items() if tool in pins and pins[tool].approved == digest)

    def _news(self, pins: Mapping[str, Pin], seen: Mapping[str, str]) -> dict[str, Pin]:
        news: dict[str, Pin] = {}
        for tool, digest in seen.items():
            pin = pins.get(tool)
            if pin is None:
                if len(pins) + len(news) < _MOST:  # a server that makes up names all the time fills no store
                    trusted = self._first_sight == "trust_first_use"
                    news[tool] = Pin(digest) if trusted else Pin("", digest)
            elif digest not in (pin.approved, pin.waiting):
                news[tool] = Pin(pin.approved, digest)
        return news

    async def approve(self, server: str, tool: str, digest: str | None = None) -> Pin | None:
        """Approve what waits, if it still is `digest`; the pin as it then is, `None` when there is nothing of it."""
        while True:
            await self.kept.refresh()
            pin = self.of(server).get(tool)
            if pin is None or (digest is not None and digest not in (pin.waiting, pin.approved)):
                return None
            if pin.waiting is None or digest == pin.approved:
                return pin
            approved = Pin(pin.waiting)
            if await self._replace(server, {tool: (pin, approved)}):
                self._tell("approved", server, tool, approved.approved)
                return approved

    async def forget(self, server: str) -> None:
        """The server is gone: its pins with it."""
        owners = (server, skills_of(server))
        for key in [key for key in self.kept.records if key.rpartition("#")[0] in owners]:
            await self.kept.remove(key)

    async def _write(self, server: str, news: Mapping[str, Pin]) -> None:
        """Add what is new. What another process wrote meanwhile counts, and is judged anew by whoever asks next."""
        pins = self.of(server)
        if not await self._replace(server, {tool: (pins.get(tool), pin) for tool, pin in news.items()}):
            await self.kept.refresh()
        for tool, pin in news.items():
            if pin.waiting is not None and self.of(server).get(tool) == pin:
                self._tell("quarantined", server, tool, pin.waiting)

    async def _replace(self, server: str, changes: Mapping[str, tuple[Pin | None, Pin]]) -> bool:
        """Write pins that still are what they were; says whether all were."""
        whole = True
        for shard, tools in _sharded(changes):
            key = f"{server}#{shard}"
            raw = self.kept.records.get(key)
            known = _opened(raw) if raw is not None else {}
            fitting = {tool: changes[tool][1] for tool in tools if known.get(tool) == changes[tool][0]}
            whole &= len(fitting) == len(tools)
            if fitting:
                whole &= await self.kept.put(key, _written({**known, **fitting}), expected=raw)
        return whole

    def _tell(self, what: Literal["quarantined", "approved"], server: str, name: str, digest: str) -> None:
        kind = "skill" if server.startswith(_SKILLS) else "tool"
        server = server.removeprefix(_SKILLS)
        if what == "quarantined":
            told = {"server": server, kind: name}
            log.warning(f"a {kind} is not what was approved: it is hidden until approved", **told)
        now = self._gateway.clock.now_ns()
        facts: dict[str, Any] = {
            "what": what,
            "server": server,
            kind: name,
            "definition_sha256": digest,
            "event_id": f"pin-{uuid.uuid4().hex}",
            "timestamp_utc": moment(now),
        }
        event = McpSkillV1(**facts) if kind == "skill" else McpToolV1(**facts)
        self._gateway.emit(event.event(now))


def _sharded(tools: Iterable[str]) -> Iterable[tuple[str, Sequence[str]]]:
    """Tools by the record that holds them: one record of ten thousand tools would be too large for some stores."""
    shards: dict[str, list[str]] = {}
    for tool in tools:
        shard = hashlib.sha256(tool.encode("utf-8", "surrogatepass")).digest()[0] % _SHARDS
        shards.setdefault(f"{shard:x}", []).append(tool)
    return shards.items()


def _opened(value: bytes) -> dict[str, Pin]:
    return {tool: Pin(*told) for tool, told in orjson.loads(value).items()}


def _written(pins: Mapping[str, Pin]) -> bytes:
    told = {tool: [pin.approved, pin.waiting] if pin.waiting else [pin.approved] for tool, pin in pins.items()}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)

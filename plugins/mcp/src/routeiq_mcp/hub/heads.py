"""Heads of skills, held fast as definitions of tools are: the name and description by which a model chooses a skill.

Which files a skill has is its manifest's business, and what they say is the guards'.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import orjson

from routeiq_mcp.hub.catalog import QUARANTINED
from routeiq_mcp.hub.lists import Listed
from routeiq_mcp.hub.manifests import LIST, files_of, may_have_skills
from routeiq_mcp.hub.pins import Pins, skills_of
from routeiq_mcp.hub.server import Server
from routeiq_mcp.seams import Json, McpError
from routeiq_mcp.wire import codes
from routeiq_sdk import Context

SKILL_MD = "/SKILL.md"
_NO_HEAD = frozenset({"uri", "resources", "_meta"})


def hash_of_head(entry: Json) -> str:
    """SHA-256 (hex) of the canonical JSON of all that an entry says of its skill, apart from its URIs and files."""
    head = {name: value for name, value in entry.items() if name not in _NO_HEAD}
    return hashlib.sha256(orjson.dumps(head, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)).hexdigest()


class Heads:
    """Says which skills may be shown and read. `recheck` is the age in seconds at which a reading looks at its skill's
    head again."""

    def __init__(self, pins: Pins, recheck: float) -> None:
        self._pins = pins
        self._recheck = recheck

    async def approved(self, server: Server, listed: Listed, passed: Collection[str]) -> frozenset[str]:
        """The URIs of the skills of a list that may be shown, of those that guards let pass. The server's own words
        count, so that a change of the guards is none of the skill. What a server lists twice is none of both."""
        named = [(entry["uri"], entry) for entry in listed.told if isinstance(entry.get("uri"), str)]
        if server.source == "gateway":
            return frozenset(passed)  # the gateway's own servers change with the gateway
        often = Counter(uri for uri, _ in named)
        seen = {uri: hash_of_head(entry) for uri, entry in named if often[uri] == 1 and uri in passed}
        approved = await self._pins.judge(skills_of(server.id), seen)
        server.skills_left_out = {
            **{uri: QUARANTINED for uri in seen if uri not in approved},
            **{uri: "the server lists it twice" for uri, times in often.items() if times > 1},
        }
        return approved

    async def check(self, server: Server, uri: str, entry: Any) -> None:
        """Check what a server told of the skill that it was asked for. Raises `McpError` while it is in quarantine."""
        if server.source == "gateway" or not isinstance(entry, Mapping):
            return
        if not await self._pins.judge(skills_of(server.id), {uri: hash_of_head(entry)}):
            raise _refusal(server, uri)

    async def check_reading(self, ctx: Context, server: Server, uri: str) -> None:
        """Raises `McpError` for what belongs to a skill in quarantine."""
        if server.source == "gateway":
            return
        pins, caller = self._pins.of(skills_of(server.id)), server.caller(ctx)
        known = [skill for skill in _skills_around(uri) if skill in pins]
        listed = server.lists.peek(LIST, caller)
        if known and may_have_skills(server):
            listed = await server.lists.get(ctx, LIST, caller, older=self._recheck)
        listing = _holding(listed.entries, uri) if listed is not None else ()
        for entry in listing:
            await self.check(server, str(entry.get("uri")), entry)
        told = {entry.get("uri") for entry in listing}
        for skill in known:
            if skill not in told and (pins[skill].waiting is not None or not pins[skill].approved):
                raise _refusal(server, skill)


def _holding(entries: Sequence[Json], uri: str) -> Sequence[Json]:
    around = frozenset(_skills_around(uri))
    return [entry for entry in entries if entry.get("uri") in around or uri in files_of(entry)]


def _skills_around(uri: str) -> Iterator[str]:
    """The names of the skills that a file or folder may belong to: of each folder above it, and of its own."""
    yield uri
    end = len(uri)
    while end > 0:
        yield uri[:end].removesuffix("/") + SKILL_MD
        end = uri.rfind("/", 0, end)


def _refusal(server: Server, skill: str) -> McpError:
    return McpError(
        codes.REFUSED,
        f"Skill {skill[:256]} of server {server.name} is in quarantine: {QUARANTINED}.",
        {"status": 403, "code": "skill_quarantined"},
    )

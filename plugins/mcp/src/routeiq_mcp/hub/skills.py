"""Agent Skills of a face's servers (the extension `io.modelcontextprotocol/skills`): one list, and each skill at home.

A skill is known by its server and its URI together. URIs stay as servers write them, since digests speak of them; only
a skill of whose URIs another server has one is shown under names of ours, all of its URIs at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routeiq_mcp.hub.asking import METHOD_NOT_FOUND, UNAVAILABLE, Missing, caching
from routeiq_mcp.hub.cursors import INVALID, page_of
from routeiq_mcp.hub.facts import Facts
from routeiq_mcp.hub.heads import SKILL_MD, Heads
from routeiq_mcp.hub.lists import SILENT
from routeiq_mcp.hub.manifests import EXTENSION, LIST, files_of
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.hub.things import RESOURCES, Things
from routeiq_mcp.hub.uris import named, shown
from routeiq_mcp.hub.walking import Walking, call_of
from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.tools import ToolCall, ToolResult

SKILL, FOLDER = "skills/get", "resources/directory/read"
METHODS = frozenset({LIST, SKILL, FOLDER})


@dataclass(frozen=True, slots=True)
class Shown:
    """A skill as a face shows it, its server, and whether its URIs are names of ours."""

    entry: Json
    server: Server
    renamed: bool


class Skills:
    """What a face has of skills."""

    def __init__(
        self, gateway: Gateway, things: Things, facts: Facts, walking: Walking, heads: Heads, *, page: int
    ) -> None:
        self._gateway = gateway
        self._things = things
        self._facts = facts
        self._walking = walking
        self._heads = heads
        self._page = page

    async def answer(self, ctx: Context, face: FaceSpec, method: str, params: Json, peer: Peer) -> Json:
        """Answer a method of the extension."""
        if not face.resources:
            raise McpError(METHOD_NOT_FOUND, f"Method not found: {method}")
        if method == LIST:
            return await self._list(ctx, face, params)
        uri = params.get("uri")
        if not isinstance(uri, str):
            raise McpError(INVALID, f"{method} needs a uri")
        if len(face.servers) == 1:
            return await self._ask(ctx, face, face.servers[0], method, params, uri, uri, peer)
        for server, own in await self._homes(ctx, face, method, uri):
            try:
                return await self._ask(ctx, face, server, method, params, uri, own, peer)
            except McpError as error:
                if error.code not in (INVALID, METHOD_NOT_FOUND):
                    raise
        what = "No skill is served at" if method == SKILL else "There is no directory resource at"
        raise McpError(INVALID, f"{what} {uri[:256]}", {"uri": uri})

    async def _list(self, ctx: Context, face: FaceSpec, params: Json) -> Json:
        answers = await self._things.ask(ctx, face, LIST)
        found, missing = await self._shown(ctx, face)
        skills = [each.entry for each in found]
        page, following = page_of(skills, "uri", params.get("cursor"), self._page)
        result: dict[str, Any] = {"resultType": "complete", "skills": page}
        if following is not None:
            result["nextCursor"] = following
        now = self._gateway.clock.monotonic()
        result.update(caching([listed for _, listed in answers.found], missing, now, public=face.public))
        if missing:
            result["_meta"] = {UNAVAILABLE: [each.told() for each in missing]}
        return result

    async def _shown(self, ctx: Context, face: FaceSpec) -> tuple[Sequence[Shown], Sequence[Missing]]:
        """The skills of all servers, in the servers' order, as guards let them pass."""
        answers = await self._things.ask(ctx, face, LIST)
        missing = list(answers.missing)
        taken = await self._things.owners(ctx, face, RESOURCES) if len(face.servers) > 1 else {}
        found: list[Shown] = []
        seen: set[str] = set()
        for server, listed in answers.found:
            uris = {str(entry.get("uri")) for entry in listed.entries}
            approved = await self._heads.approved(server, listed, uris)
            for entry in listed.entries:
                if entry.get("uri") not in approved:  # its name stays its own
                    taken.update((uri, server.name) for uri in _uris(entry) if uri not in taken)
            shown = [entry for entry in listed.entries if entry.get("uri") in approved]
            try:
                entries = await self._guarded(ctx, face, server, shown)
            except RequestError as error:
                missing.append(Missing(server.name, error.message))
                continue
            for entry in entries:
                uris = _uris(entry)
                renamed = any(taken.get(uri, server.name) != server.name for uri in uris)
                told = _renamed(entry, server) if renamed else entry
                if not isinstance(entry.get("uri"), str) or told["uri"] in seen:
                    continue
                seen.add(told["uri"])
                if not renamed:
                    taken.update(dict.fromkeys(uris, server.name))
                found.append(Shown(told, server, renamed))
        return found, missing

    async def _guarded(self, ctx: Context, face: FaceSpec, server: Server, entries: Sequence[Json]) -> Sequence[Json]:
        """Names and descriptions are read by models, so guards see them first."""
        if server.source == "gateway" or not entries:
            return entries
        call = call_of(face, server, LIST, {}, {}, SILENT)
        result = await self._gateway.tools.guard_result(ctx, call, ToolResult({"skills": list(entries)}))
        skills = result.content.get("skills")
        return [entry for entry in skills if isinstance(entry, Mapping)] if isinstance(skills, list | tuple) else ()

    async def _homes(self, ctx: Context, face: FaceSpec, method: str, uri: str) -> Sequence[tuple[Server, str]]:
        """Who may be asked of a URI, under which name: its server; for one that nobody lists, all in their order."""
        told = named(face, uri)
        if told is not None:
            return [told]
        found, _ = await self._shown(ctx, face)
        for each in found:
            root = str(each.entry["uri"]).removesuffix(SKILL_MD)
            inside = uri == root or uri.startswith(f"{root}/")
            if not each.renamed and (uri == each.entry["uri"] if method == SKILL else inside):
                return [(each.server, uri)]
        having = []
        for server in face.servers:
            try:
                facts = server.known_facts or await self._facts.of_server(ctx, server)
            except (McpError, RequestError):
                continue
            extensions = facts.capabilities.get("extensions")
            if isinstance(extensions, Mapping) and EXTENSION in extensions:
                having.append((server, uri))
        return having

    async def _ask(
        self, ctx: Context, face: FaceSpec, server: Server, method: str, params: Json, uri: str, own: str, peer: Peer
    ) -> Json:
        call = call_of(face, server, method, {"uri": own}, params, peer)

        async def run(allowed: ToolCall) -> ToolResult:
            asked = {**params, **allowed.arguments}
            told = await self._walking.ask(ctx, server, method, asked, peer, allowed)
            if method == SKILL:
                await self._heads.check(server, str(asked["uri"]), told.get("skill"))
            else:
                await self._heads.check_reading(ctx, server, str(asked["uri"]))
            return ToolResult(told)

        result = await self._walking.call(ctx, server, call, run)
        if method == SKILL:
            skill = result.get("skill")
            if not isinstance(skill, Mapping):
                raise McpError(-32603, f"server {server.name} answered {method} without a skill")
            self._things.remember(ctx, server, [str(skill.get("uri")), *files_of(skill)])
            return result if own == uri else {**result, "skill": _renamed(skill, server)}
        children = result.get("resources")
        if own == uri or not isinstance(children, list | tuple):
            return result
        return {**result, "resources": [_shown_child(child, server) for child in children]}


def _uris(entry: Json) -> set[str]:
    return {str(entry.get("uri")), *files_of(entry)}


def _renamed(entry: Json, server: Server) -> dict[str, Any]:
    """A skill with its server in all of its URIs."""
    told = {**entry, "uri": shown(server, str(entry.get("uri")))}
    files = entry.get("resources")
    if isinstance(files, list | tuple):
        told["resources"] = [_shown_child(file, server) for file in files]
    return told


def _shown_child(child: Any, server: Server) -> Any:
    uri = child.get("uri") if isinstance(child, Mapping) else None
    return {**child, "uri": shown(server, uri)} if isinstance(uri, str) else child

"""Resources, templates and prompts of a face: lists, readings, completions.

They walk the road of a tool call under the name of their method (`resources/read`, `prompts/get`), so that the same
hooks permit, look at and record them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from routeiq_mcp.hub.asking import UNAVAILABLE, Answers, ask_all, caching
from routeiq_mcp.hub.cursors import INVALID, page_of
from routeiq_mcp.hub.facts import Facts
from routeiq_mcp.hub.heads import Heads
from routeiq_mcp.hub.lists import KEYS, Listed
from routeiq_mcp.hub.looking import Looking
from routeiq_mcp.hub.manifests import LIST as SKILLS
from routeiq_mcp.hub.manifests import check_file, files_of, is_below, may_have_skills
from routeiq_mcp.hub.policy import SEPARATOR
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.hub.uris import Remembered, matches, named, shown
from routeiq_mcp.hub.walking import Walking, call_of, without_envelope
from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_sdk import Context, Gateway
from routeiq_sdk.values.tools import ToolCall, ToolResult

READ, GET, COMPLETE = "resources/read", "prompts/get", "completion/complete"
RESOURCES, TEMPLATES, PROMPTS = "resources/list", "resources/templates/list", "prompts/list"
_NAMES = {RESOURCES: "uri", TEMPLATES: "uriTemplate", PROMPTS: "name"}
_PERMISSION = {RESOURCES: READ, TEMPLATES: READ, PROMPTS: GET, SKILLS: READ}


class Things:
    """What a face has besides tools."""

    def __init__(
        self,
        gateway: Gateway,
        walking: Walking,
        looking: Looking,
        facts: Facts,
        remembered: Remembered,
        heads: Heads,
        *,
        page: int,
        recheck: float,
    ) -> None:
        self._gateway = gateway
        self._looking = looking
        self._facts = facts
        self._walking = walking
        self._page = page
        self._recheck = recheck
        self._remembered = remembered
        self._heads = heads

    async def list(self, ctx: Context, face: FaceSpec, method: str, params: Json) -> Json:
        """A page of resources, templates or prompts."""
        answers = await self.ask(ctx, face, method)
        items = [item for item, _, _ in self._merged(face, method, answers)]
        page, following = page_of(items, _NAMES[method], params.get("cursor"), self._page)
        result: dict[str, Any] = {"resultType": "complete", KEYS[method]: page}
        if following is not None:
            result["nextCursor"] = following
        now = self._gateway.clock.monotonic()
        result.update(caching([listed for _, listed in answers.found], answers.missing, now, public=face.public))
        if answers.missing:
            result["_meta"] = {UNAVAILABLE: [missing.told() for missing in answers.missing]}
        return result

    async def read(self, ctx: Context, face: FaceSpec, params: Json, peer: Peer) -> Json:
        """Read a resource."""
        uri = params.get("uri")
        if not isinstance(uri, str):
            raise McpError(INVALID, "resources/read needs the uri of a resource")
        self._offered(face, READ)
        server, own = await self.owner(ctx, face, uri)
        result = await self._walk(ctx, face, server, READ, {**params, "uri": own}, {"uri": own}, peer)
        return result if own == uri else _renamed(result, own, uri)

    async def get(self, ctx: Context, face: FaceSpec, params: Json, peer: Peer) -> Json:
        """Get a prompt."""
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str):
            raise McpError(INVALID, "prompts/get needs the name of a prompt")
        self._offered(face, GET)
        server, own = await self._prompt(ctx, face, name)
        told = {"name": own, **({"arguments": arguments} if isinstance(arguments, Mapping) else {})}
        return await self._walk(ctx, face, server, GET, {**params, "name": own}, told, peer)

    async def complete(self, ctx: Context, face: FaceSpec, params: Json, peer: Peer) -> Json:
        """Complete an argument of a prompt or of a template."""
        ref = params.get("ref")
        if not isinstance(ref, Mapping):
            raise McpError(INVALID, "completion/complete needs ref: a prompt's name or a resource's uri")
        kind = ref.get("type")
        if kind == "ref/prompt" and isinstance(ref.get("name"), str):
            method = GET
            self._offered(face, method)
            server, own = await self._prompt(ctx, face, ref["name"])
            asked = {**params, "ref": {**ref, "name": own}}
        elif kind == "ref/resource" and isinstance(ref.get("uri"), str):
            method = READ
            self._offered(face, method)
            server, own = await self.owner(ctx, face, ref["uri"])
            asked = {**params, "ref": {**ref, "uri": own}}
        else:
            raise McpError(INVALID, "completion/complete needs ref: a prompt's name or a resource's uri")
        if method not in await self._walking.permitted(ctx, server, (method,)):
            raise McpError(INVALID, "there is no such prompt or resource")
        call = call_of(face, server, COMPLETE, without_envelope(asked), asked, peer)

        async def run(allowed: ToolCall) -> ToolResult:
            given = {**asked, **allowed.arguments}
            return ToolResult(await self._walking.ask(ctx, server, COMPLETE, given, peer, allowed))

        return await self._walking.call(ctx, server, call, run)

    async def owner(self, ctx: Context, face: FaceSpec, uri: str) -> tuple[Server, str]:
        """Whose resource a URI is, and its own name there. Raises `McpError`."""
        if len(face.servers) == 1:
            return face.servers[0], uri
        told = named(face, uri)
        if told is not None:
            return told
        resources = await self.ask(ctx, face, RESOURCES, self._recheck)
        for item, server, own in self._merged(face, RESOURCES, resources):
            if item["uri"] == uri:
                return server, own
        skills = await self.ask(ctx, face, SKILLS, self._recheck)
        for holds in (_names, is_below):
            for server, listed in skills.found:
                if any(holds(entry, uri) for entry in listed.entries):
                    return server, uri
        callers = {server.name: server.caller(ctx) for server in face.servers}
        server_of = self._remembered.owner(face, uri, callers)
        if server_of is not None:
            return server_of, uri
        templates = await self.ask(ctx, face, TEMPLATES, self._recheck)
        for item, server, own in self._merged(face, TEMPLATES, templates):
            if item["uriTemplate"] == uri or matches(own, uri):
                return server, own if item["uriTemplate"] == uri else uri
        raise McpError(INVALID, "Resource not found", {"uri": uri})

    async def owners(self, ctx: Context, face: FaceSpec, method: str) -> dict[str, str]:
        """The names of the servers to which the entries of a list belong, by the entries' names."""
        answers = await self.ask(ctx, face, method, self._recheck)
        return {item[_NAMES[method]]: server.name for item, server, _ in self._merged(face, method, answers)}

    def remember(self, ctx: Context, server: Server, uris: Sequence[str]) -> None:
        """A server told the caller of these resources."""
        links = [{"type": "resource_link", "uri": uri} for uri in uris]
        self._remembered.note(server, server.caller(ctx), {"content": links})

    async def ask(self, ctx: Context, face: FaceSpec, method: str, older: float = 0.0) -> Answers[Listed]:
        """A list of each server that the caller may read from."""
        nothing = Listed((), 0.0, float("inf"), 86_400_000, False)
        if not (face.prompts if method == PROMPTS else face.resources):
            return Answers(())

        async def ask(server: Server) -> Listed:
            if method == SKILLS and not may_have_skills(server):
                return nothing
            allowed = await self._walking.permitted(ctx, server, (_PERMISSION[method],))
            if not allowed:
                return nothing
            listed = await server.lists.get(ctx, method, server.caller(ctx), older=older)
            passed = await self._looking.entries(ctx, server, _PERMISSION[method], listed.entries)
            return listed if len(passed) == len(listed.entries) and passed == listed.entries else _with(listed, passed)

        return await ask_all(face, self._gateway.clock, ask, absent=nothing)

    def _merged(self, face: FaceSpec, method: str, answers: Answers[Listed]) -> Sequence[tuple[Json, Server, str]]:
        """The entries under the face's names, each with its server and its own name there."""
        key = _NAMES[method]
        found: dict[str, tuple[Json, Server, str]] = {}
        for server, listed in answers.found:
            for entry in listed.entries:
                own = entry.get(key)
                if not isinstance(own, str):
                    continue
                name = f"{face.prefix_of(server)}{own}" if method == PROMPTS else own
                if name in found:
                    if len(face.servers) == 1:
                        continue
                    name = f"{server.prefix}{SEPARATOR}{own}" if method == PROMPTS else shown(server, own)
                    if name in found:
                        continue
                found[name] = (entry if name == own else {**entry, key: name}, server, own)
        return list(found.values())

    async def _prompt(self, ctx: Context, face: FaceSpec, name: str) -> tuple[Server, str]:
        if face.alone:
            return face.servers[0], name
        answers = await self.ask(ctx, face, PROMPTS, self._recheck)
        for item, server, own in self._merged(face, PROMPTS, answers):
            if item["name"] == name:
                return server, own
        raise McpError(INVALID, f"Unknown prompt: {name}")

    def _offered(self, face: FaceSpec, method: str) -> None:
        if not (face.prompts if method == GET else face.resources):
            raise McpError(-32601, f"{method} is not offered here")

    async def _walk(
        self,
        ctx: Context,
        face: FaceSpec,
        server: Server,
        method: str,
        params: Mapping[str, Any],
        told: Mapping[str, Any],
        peer: Peer,
    ) -> Json:
        """The road of a tool call, for what is no tool."""
        call = call_of(face, server, method, told, params, peer)

        async def run(allowed: ToolCall) -> ToolResult:
            asked = {**params, **allowed.arguments}
            read = await self._walking.ask(ctx, server, method, asked, peer, allowed)
            if method == READ:
                await self._heads.check_reading(ctx, server, str(asked["uri"]))
                await check_file(ctx, server, str(asked["uri"]), read, self._facts)
            return ToolResult(read)

        result = await self._walking.call(ctx, server, call, run)
        self._remembered.note(server, server.caller(ctx), result)
        return result


def _names(entry: Json, uri: str) -> bool:
    return uri in files_of(entry)


def _with(listed: Listed, entries: tuple[Json, ...]) -> Listed:
    return replace(listed, entries=entries, raw=listed.entries)


def _renamed(result: Json, own: str, uri: str) -> Json:
    """What was read, under the name that the client knows."""
    contents = result.get("contents")
    if not isinstance(contents, list | tuple):
        return result
    renamed = [
        {**part, "uri": uri} if isinstance(part, Mapping) and part.get("uri") == own else part for part in contents
    ]
    return {**result, "contents": renamed}

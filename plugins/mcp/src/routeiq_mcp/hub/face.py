"""A face at work: the methods of the protocol, each handed to the part that knows.

Wires and eras are the door's business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from routeiq_mcp.hub.asking import METHOD_NOT_FOUND
from routeiq_mcp.hub.catalog import Catalogs
from routeiq_mcp.hub.facts import Facts, extension_of
from routeiq_mcp.hub.listening import Listening, part_of
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.skills import METHODS, Skills
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.hub.things import COMPLETE, GET, PROMPTS, READ, RESOURCES, TEMPLATES, Things
from routeiq_mcp.hub.tools import LIST, Tools
from routeiq_mcp.hub.walking import Walking, call_of, without_envelope
from routeiq_mcp.seams import Json, McpError, Peer, ServerFacts
from routeiq_sdk import Context, Gateway
from routeiq_sdk.values.tools import ToolCall, ToolResult

_NEVER_PASSED_ON = ("notifications/", "completion/", "tools/", "prompts/", "resources/", "server/", "subscriptions/")


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """What faces are served with; one for all of them."""

    gateway: Gateway
    catalogs: Catalogs
    tools: Tools
    things: Things
    skills: Skills
    facts: Facts
    walking: Walking
    listening: Listening


class HubFace:
    """What is served at one path."""

    def __init__(self, spec: FaceSpec, parts: Parts) -> None:
        self.spec = spec
        self._parts = parts

    @property
    def name(self) -> str:
        """The face's name."""
        return self.spec.name

    async def facts(self, ctx: Context) -> ServerFacts:
        """What the face says of itself."""
        return await self._parts.facts.of(ctx, self.spec)

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """Answer a request of the protocol."""
        if method == LIST:
            return await self._parts.tools.list(ctx, self.spec, params)
        if method == "tools/call":
            return await self._parts.tools.call(ctx, self.spec, params, peer)
        if method in (RESOURCES, TEMPLATES, PROMPTS):
            return await self._parts.things.list(ctx, self.spec, method, params)
        if method == READ:
            return await self._parts.things.read(ctx, self.spec, params, peer)
        if method == GET:
            return await self._parts.things.get(ctx, self.spec, params, peer)
        if method == COMPLETE:
            return await self._parts.things.complete(ctx, self.spec, params, peer)
        if method in METHODS:
            return await self._parts.skills.answer(ctx, self.spec, method, params, peer)
        if method == "ping":
            return {"resultType": "complete"}
        return await self._extension(ctx, method, params, peer)

    async def tool(self, ctx: Context, name: str) -> Json | None:
        """The definition of a tool, as far as it is known."""
        return await self._parts.tools.look_up(ctx, self.spec, name)

    async def listen(self, ctx: Context, wanted: Json) -> AsyncIterator[tuple[str, Json]]:
        """Notifications that belong to no request."""
        told = wanted.get("resourceSubscriptions")
        uris: dict[str, dict[str, str]] = {}
        for uri in told if isinstance(told, list | tuple) and self.spec.resources else ():
            if isinstance(uri, str):
                server, own = await self._parts.things.owner(ctx, self.spec, uri)
                uris.setdefault(server.name, {})[own] = uri
        parts = [
            (server, part_of(wanted, list(uris.get(server.name, {}))), uris.get(server.name, {}))
            for server in self.spec.servers
        ]
        async for note in self._parts.listening.listen(ctx, self.spec, wanted, parts):
            yield note

    async def _extension(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """A method of an extension goes to the server that has the extension."""
        server = await self._server_of(ctx, method)
        call = call_of(self.spec, server, method, without_envelope(params), params, peer)

        async def run(allowed: ToolCall) -> ToolResult:
            asked = {**params, **allowed.arguments}
            return ToolResult(await self._parts.walking.ask(ctx, server, method, asked, peer, allowed))

        return await self._parts.walking.call(ctx, server, call, run)

    async def _server_of(self, ctx: Context, method: str) -> Server:
        extension = extension_of(method)
        if extension is None and method.startswith(_NEVER_PASSED_ON):
            raise McpError(METHOD_NOT_FOUND, f"Method not found: {method}")
        if self.spec.alone:
            return self.spec.servers[0]
        if extension is None:
            raise McpError(METHOD_NOT_FOUND, f"Method not found: {method}")
        having = []
        for server in self.spec.servers:
            facts = server.known_facts or await self._parts.facts.of_server(ctx, server)
            told = facts.capabilities.get("extensions")
            if isinstance(told, Mapping) and extension in told:
                having.append(server)
        if len(having) != 1:
            raise McpError(METHOD_NOT_FOUND, f"Method not found: {method}")
        return having[0]

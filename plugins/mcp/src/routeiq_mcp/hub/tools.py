"""The tools of a face: which there are for a caller, and calls of them.

One answer of `permitted_tools` hooks hides and refuses; the road of a call asks them again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routeiq_mcp.hub.asking import UNAVAILABLE, Answers, ask_all, caching
from routeiq_mcp.hub.catalog import QUARANTINED, Catalog, Catalogs
from routeiq_mcp.hub.cursors import INVALID, page_of
from routeiq_mcp.hub.lists import INTERNAL, Listed
from routeiq_mcp.hub.pins import Pins
from routeiq_mcp.hub.policy import SEPARATOR
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.hub.uris import Remembered
from routeiq_mcp.hub.walking import Walking, call_of
from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_mcp.wire import codes
from routeiq_sdk import Context, Gateway, RouteIQError
from routeiq_sdk.values.tools import ToolCall, ToolResult

LIST = "tools/list"
_MERGED = 64
_PAGING_SECONDS = 60.0


@dataclass(frozen=True, eq=False, slots=True)
class Merged:
    """The tools of several catalogs under the names of a face, in order. `owners` says whose each is."""

    tools: Sequence[Json]
    owners: Mapping[str, tuple[Server, str]]
    by_server: Mapping[str, Sequence[str]]
    """Own names of the tools of each server."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool that a caller sees: whose it is, its own name, and its definition under the face's name."""

    server: Server
    tool: str
    definition: Json


class Tools:
    """Lists and calls tools of any face."""

    def __init__(
        self,
        gateway: Gateway,
        catalogs: Catalogs,
        pins: Pins,
        walking: Walking,
        remembered: Remembered,
        *,
        page: int,
        recheck: float,
    ) -> None:
        self._gateway = gateway
        self._catalogs = catalogs
        self._pins = pins
        self._walking = walking
        self._remembered = remembered
        self._page = page
        self._recheck = recheck
        self._merged: OrderedDict[tuple[Any, ...], tuple[Sequence[object], Merged]] = OrderedDict()

    async def list(self, ctx: Context, face: FaceSpec, params: Json) -> Json:
        """A page of what the caller sees."""
        going_on = params.get("cursor") is not None  # a server that lets nothing be kept is not asked for each page
        answers = await self._ask(ctx, face, _PAGING_SECONDS if going_on else 0.0)
        visible = await self._visible(ctx, face, answers)
        tools, following = page_of(visible, "name", params.get("cursor"), self._page)
        now = self._gateway.clock.monotonic()
        lists = [listed for _, (listed, _) in answers.found]
        result: dict[str, Any] = {"resultType": "complete", "tools": tools}
        if following is not None:
            result["nextCursor"] = following
        result.update(caching(lists, answers.missing, now, public=face.public))
        if answers.missing:
            result["_meta"] = {UNAVAILABLE: [missing.told() for missing in answers.missing]}
        return result

    async def offered(self, ctx: Context, face: FaceSpec) -> Sequence[Offered]:
        """All that the caller sees, with whose it is."""
        answers = await self._ask(ctx, face)
        owners = self._merge(face, answers).owners
        visible = await self._visible(ctx, face, answers)
        return [Offered(*owners[tool["name"]], tool) for tool in visible]

    async def call(self, ctx: Context, face: FaceSpec, params: Json, peer: Peer) -> Json:
        """Call a tool. Raises `McpError`, `RequestError`, `ConsentNeeded`."""
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str):
            raise McpError(INVALID, "tools/call needs the name of a tool")
        if arguments is not None and not isinstance(arguments, Mapping):
            raise McpError(INVALID, "arguments of a tool are an object")
        server, tool = await self._owner(ctx, face, name)
        price = server.policy.price_of(tool)
        call = call_of(face, server, tool, arguments or {}, params, peer, method="tools/call", price=price)

        async def run(allowed: ToolCall) -> ToolResult:
            asked = {**params, "name": tool}
            if arguments is not None or allowed.arguments:
                asked["arguments"] = allowed.arguments
            result = await self._walking.ask(ctx, server, "tools/call", asked, peer, allowed)
            return ToolResult(result, is_error=bool(result.get("isError")))

        result = await self._walking.call(ctx, server, call, run)
        if len(face.servers) > 1:
            self._remembered.note(server, server.caller(ctx), result)
        return result

    async def look_up(self, ctx: Context, face: FaceSpec, name: str) -> Json | None:
        """The definition of a tool under the face's name; `None` when it is not there or its server is away."""
        try:
            server, tool = await self._owner(ctx, face, name)
        except (McpError, RouteIQError):
            return None
        listed = server.lists.peek(LIST, server.caller(ctx))
        if listed is None:
            return None
        return (await self._catalogs.of(ctx, server, listed)).tools.get(tool)

    async def _ask(self, ctx: Context, face: FaceSpec, older: float = 0.0) -> Answers[tuple[Listed, Catalog]]:
        async def ask(server: Server) -> tuple[Listed, Catalog]:
            listed = await server.lists.get(ctx, LIST, server.caller(ctx), older=older)
            return listed, await self._catalogs.of(ctx, server, listed)

        nothing = Listed((), 0.0, float("inf"), 86_400_000, False), Catalog({}, {})
        return await ask_all(face, self._gateway.clock, ask, absent=nothing)

    async def _visible(self, ctx: Context, face: FaceSpec, answers: Answers[tuple[Listed, Catalog]]) -> Sequence[Json]:
        merged = self._merge(face, answers)
        permitted: dict[str, frozenset[str]] = {}
        whole = True
        for server in face.servers:
            tools = merged.by_server.get(server.name, ())
            permitted[server.name] = await self._walking.permitted(ctx, server, tools) if tools else frozenset()
            whole &= len(permitted[server.name]) == len(tools)
        if whole:
            return merged.tools
        owners = merged.owners
        visible = []
        for definition in merged.tools:
            server, tool = owners[definition["name"]]
            if tool in permitted[server.name]:
                visible.append(definition)
        return visible

    def _merge(self, face: FaceSpec, answers: Answers[tuple[Listed, Catalog]]) -> Merged:
        """Put catalogs together. Of two tools that would have one name the first has it, also while its server is away;
        without prefixes the other gets its server's, and when that is taken too it is left out."""
        catalogs = {server.name: catalog for server, (_, catalog) in answers.found}
        pins = {} if face.prefixed else {s.name: self._pins.of(s.id) for s in face.servers if s.name not in catalogs}
        parts = [catalogs.get(server.name, pins.get(server.name)) for server in face.servers]
        key = (face.prefixed, face.globs, *((s.name, id(part)) for s, part in zip(face.servers, parts, strict=True)))
        kept = self._merged.get(key)
        if kept is not None:
            self._merged.move_to_end(key)
            return kept[1]
        tools: list[Json] = []
        owners: dict[str, tuple[Server, str]] = {}
        by_server: dict[str, list[str]] = {}
        away: set[str] = set()
        for server in face.servers:
            catalog = catalogs.get(server.name)
            if catalog is None:
                away.update(tool for tool in pins.get(server.name, ()) if face.takes(server, tool))
                continue
            names = by_server.setdefault(server.name, [])
            for tool, definition in zip(catalog.tools, catalog.under(face.prefix_of(server)), strict=True):
                if not face.takes(server, tool):
                    continue
                shown = definition["name"]
                if shown in owners or shown in away:
                    shown = f"{server.prefix}{SEPARATOR}{tool}"
                    if shown in owners:
                        continue
                    definition = {**definition, "name": shown}
                owners[shown] = (server, tool)
                tools.append(definition)
                names.append(tool)
        merged = Merged(tools, owners, by_server)
        self._merged[key] = (parts, merged)
        while len(self._merged) > _MERGED:
            self._merged.popitem(last=False)
        return merged

    async def _owner(self, ctx: Context, face: FaceSpec, name: str) -> tuple[Server, str]:
        """Whose tool it is. Raises `McpError` for one that is not there, or that is in quarantine."""
        if not (face.prefixed or face.alone):
            return await self._owner_of_many(ctx, face, name)
        for server in face.servers:
            prefix = face.prefix_of(server)
            tool = name[len(prefix) :]
            if not name.startswith(prefix) or not tool or not face.takes(server, tool):
                continue
            catalog = await self._known(ctx, server, tool, alone=face.alone)
            if catalog is not None and tool in catalog.tools:
                return server, tool
            if catalog is not None and catalog.left_out.get(tool) == QUARANTINED:
                await self._refuse(ctx, server, tool)
        raise unknown(name)

    async def _owner_of_many(self, ctx: Context, face: FaceSpec, name: str) -> tuple[Server, str]:
        """The owner where names stand without their server: as the list of all of them says."""
        for older in (self._recheck, 1.0):
            answers = await self._ask(ctx, face, older)
            owner = self._merge(face, answers).owners.get(name)
            if owner is not None:
                return owner
        for server, (_, catalog) in answers.found:
            tool = name.removeprefix(f"{server.prefix}{SEPARATOR}")
            for each in (name, tool):
                if catalog.left_out.get(each) == QUARANTINED and face.takes(server, each):
                    await self._refuse(ctx, server, each)
        for missing in sorted(answers.missing, key=lambda missing: not self._has(face, missing.server, name)):
            if missing.needed is not None:
                raise missing.needed
            raise McpError(INTERNAL, f"Unknown tool: {name} (server {missing.server} is away: {missing.reason})")
        raise unknown(name)

    def _has(self, face: FaceSpec, server: str, tool: str) -> bool:
        """Whether a server had the tool when it was last seen."""
        return any(tool in self._pins.of(each.id) for each in face.servers if each.name == server)

    async def _refuse(self, ctx: Context, server: Server, tool: str) -> None:
        """Say that a tool is in quarantine, to those who may know that it is there."""
        if tool in await self._walking.permitted(ctx, server, (tool,)):
            raise McpError(
                codes.REFUSED,
                f"Tool {tool} of server {server.name} is in quarantine: {QUARANTINED}.",
                {"status": 403, "code": "tool_quarantined"},
            )

    async def _known(self, ctx: Context, server: Server, tool: str, *, alone: bool) -> Catalog | None:
        """The catalog to look a tool up in: what is known, as long as it is not too old and knows the tool. `None` for
        a server that cannot be asked, unless it is the only one: then its error is raised."""
        caller = server.caller(ctx)
        try:
            listed = await server.lists.get(ctx, LIST, caller, older=self._recheck)
            catalog = await self._catalogs.of(ctx, server, listed)
            age = self._gateway.clock.monotonic() - listed.at
            if tool not in catalog.tools and tool not in catalog.left_out and age >= 1:
                listed = await server.lists.get(ctx, LIST, caller, older=1.0)
                catalog = await self._catalogs.of(ctx, server, listed)
        except (McpError, OSError) as error:
            server.note(error, self._gateway.clock.now_ns())
            if alone or tool in self._pins.of(server.id):
                raise  # it is this server's tool, and nobody else's
            return None
        return catalog


def unknown(name: str) -> McpError:
    """The refusal of a tool that is not there, or not for this caller."""
    return McpError(INVALID, f"Unknown tool: {name}")

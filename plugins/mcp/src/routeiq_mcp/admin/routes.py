"""The routes of administrators: LiteLLM's `/v1/mcp/server` and what belongs to it.

What a body may say is in `bodies`; rows are kept by the hub.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from routeiq_mcp.admin.bodies import checked, fields_of, name_of, told
from routeiq_mcp.hub.added import Added
from routeiq_mcp.hub.health import look_at
from routeiq_mcp.hub.pins import Pin, skills_of
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import EVERYTHING, FaceSpec
from routeiq_sdk import Context, RequestError, StoreUnavailable
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_mcp.hub.hub import Hub

_BASE = "/v1/mcp/server"
_HEALTH_SECONDS = 10.0


class Api:
    """Handlers over the hub of the runtime."""

    def __init__(self, hub: Callable[[], Hub]) -> None:
        self._of = hub

    async def list(self, request: HttpRequest) -> HttpResponse:
        """All servers."""
        hub = self._of()
        rows = hub.shelf.rows()
        return HttpResponse.json([told(hub, server, rows.get(server.id)) for server in hub.registry.servers.values()])

    async def one(self, request: HttpRequest) -> HttpResponse:
        """One, by id, name or alias."""
        hub, server = self._found(request)
        return HttpResponse.json(told(hub, server, hub.shelf.rows().get(server.id)))

    async def create(self, request: HttpRequest) -> HttpResponse:
        """Add one. 400 for a row that cannot be used, 409 for a name that is taken."""
        hub, body = self._of(), _body(request)
        name, fields = name_of(body), fields_of(body)
        id = body.get("server_id") or uuid.uuid4().hex
        if not isinstance(id, str) or len(id) > 128 or "#" in id:
            raise RequestError(400, "server_id is a text of at most 128 characters, without #", param="server_id")
        self._free(hub, name, id, fields)
        now, by = hub.gateway.clock.now_ns(), _who(request)
        added = Added(id, name, fields, now, now, by, by)
        if not await hub.shelf.add(added):
            raise RequestError(409, f"There is a server with the id {id!r}.", param="server_id")
        return HttpResponse.json(self._answer(hub, added), 201)

    async def change(self, request: HttpRequest) -> HttpResponse:
        """Change one; what the body does not name stays."""
        hub, body = self._of(), _body(request)
        id = request.path_params.get("server_id") or body.get("server_id")
        if not isinstance(id, str):
            raise RequestError(400, "server_id is missing", param="server_id")
        old = self._added(hub, id)
        name = name_of(body) if body.get("server_name") else old.name
        given = fields_of({**old.fields, **{key: value for key, value in body.items() if key != "server_id"}})
        dropped = {key for key, value in body.items() if value is None}
        fields = {key: value for key, value in given.items() if key not in dropped}
        checked(fields)
        if name != old.name:
            raise RequestError(400, "server_name cannot be changed; add another server", param="server_name")
        self._free(hub, name, old.id, fields, apart=name)
        new = old.changed(fields, hub.gateway.clock.now_ns(), _who(request))
        if not await hub.shelf.replace(new):
            raise RequestError(409, "Somebody else changes this server at the same time. Read it and try again.")
        return HttpResponse.json(self._answer(hub, new), 202)

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Remove one, its pins, and what was kept for it."""
        hub = self._of()
        id = request.path_params["server_id"]
        added = self._added(hub, id) if id not in hub.shelf.faults else None  # one that cannot be opened can be removed
        id = added.id if added is not None else id
        if not await hub.shelf.remove(id):
            raise _unknown(id)
        await hub.pins.forget(id)
        if hub.gateway.delegation is not None and added is not None:
            await hub.gateway.delegation.forget(f"mcp:{added.name}")
        return HttpResponse.json({"server_id": id, "deleted": True}, 202)

    async def health(self, request: HttpRequest) -> HttpResponse:
        """Ask servers how they are: those of `server_ids`, or all."""
        hub, ctx = self._of(), _ctx(request)
        named = [id for key, value in request.queries if key in ("server_ids", "server_id") for id in value.split(",")]
        servers = hub.registry.named(named) if named else tuple(hub.registry.servers.values())

        async def look(server: Server) -> dict[str, Any]:
            try:
                async with asyncio.timeout(_HEALTH_SECONDS):
                    reason = await look_at(hub, ctx, server)
            except TimeoutError:
                reason = f"it did not answer within {_HEALTH_SECONDS:.0f} s"
            status = "healthy" if reason is None else "unhealthy"
            return {"server_id": server.id, "server_name": server.name, "status": status, "health_check_error": reason}

        return HttpResponse.json(await asyncio.gather(*(look(server) for server in servers)))

    async def groups(self, request: HttpRequest) -> HttpResponse:
        """The names of the access groups."""
        return HttpResponse.json({"access_groups": sorted(self._of().registry.groups)})

    async def tools(self, request: HttpRequest) -> HttpResponse:
        """All tools of all servers that the caller may use."""
        hub, ctx = self._of(), _ctx(request)
        face = FaceSpec(EVERYTHING, tuple(hub.registry.servers.values()))
        found = await hub.parts.tools.offered(ctx, face)
        return HttpResponse.json({"tools": [{**tool.definition, "server_name": tool.server.name} for tool in found]})

    async def waiting(self, request: HttpRequest) -> HttpResponse:
        """The pins of a server: what is approved, and what waits."""
        hub, server = self._found(request)
        rows = _pinned(hub.pins.of(server.id), "name")
        return HttpResponse.json({"server_id": server.id, "tools": rows, "left_out": dict(server.left_out)})

    async def waiting_skills(self, request: HttpRequest) -> HttpResponse:
        """The pins of a server's skills: what is approved, and what waits."""
        hub, server = self._found(request)
        rows = _pinned(hub.pins.of(skills_of(server.id)), "uri")
        return HttpResponse.json({"server_id": server.id, "skills": rows, "left_out": dict(server.skills_left_out)})

    async def approve(self, request: HttpRequest) -> HttpResponse:
        """Approve what a tool says of itself now; with `sha256` in the body only if it is exactly that."""
        hub, server = self._found(request)
        tool = request.path_params["tool"]
        body = _body(request) if request.body.strip() else {}
        pin = await self._approved(hub, server.id, tool, body, f"a tool {tool!r}")
        return HttpResponse.json({"server_id": server.id, "name": tool, "approved": pin.approved})

    async def approve_skill(self, request: HttpRequest) -> HttpResponse:
        """Approve what a skill, the `uri` of the body, says of itself now; with `sha256` only if it is exactly that."""
        hub, server = self._found(request)
        body = _body(request)
        uri = body.get("uri")
        if not isinstance(uri, str):
            raise RequestError(400, "uri is the URI of a skill", param="uri")
        pin = await self._approved(hub, skills_of(server.id), uri, body, f"a skill {uri[:256]!r}")
        return HttpResponse.json({"server_id": server.id, "uri": uri, "approved": pin.approved})

    async def _approved(self, hub: Hub, owner: str, name: str, body: Mapping[str, Any], what: str) -> Pin:
        digest = body.get("sha256")
        if digest is not None and not isinstance(digest, str):
            raise RequestError(400, "sha256 is the hash of a definition, in hex", param="sha256")
        pin = await hub.pins.approve(owner, name, digest)
        if pin is not None:
            return pin
        if digest is not None and name in hub.pins.of(owner):
            raise RequestError(409, "The definition is another one by now. Look at it, and approve that.")
        raise RequestError(404, f"Nothing is known of {what} of this server.", code="not_found")

    def _found(self, request: HttpRequest) -> tuple[Hub, Server]:
        hub = self._of()
        server = hub.registry.find(request.path_params["server_id"])
        if server is None:
            raise _unknown(request.path_params["server_id"])
        return hub, server

    def _added(self, hub: Hub, id: str) -> Added:
        rows = hub.shelf.rows()
        added = rows.get(id) or next((row for row in rows.values() if row.name == id), None)
        if added is not None:
            return added
        if hub.registry.find(id) is not None:
            raise RequestError(
                409,
                f"The server {id!r} is written in the YAML or offered by a plugin; change it there.",
                code="immutable",
            )
        raise _unknown(id)

    def _free(self, hub: Hub, name: str, id: str, fields: Mapping[str, Any], apart: str | None = None) -> None:
        """Whether nobody else goes by these names. Raises `RequestError`."""
        names = [name, id, *([str(fields["alias"])] if fields.get("alias") else [])]
        taken = hub.registry.clash(names, apart) or next((n for n in names if n in hub.config.virtual_servers), None)
        if taken is None and apart is None:
            taken = next((row.name for row in hub.shelf.rows().values() if row.name == name), None)
        if taken is not None:
            raise RequestError(409, f"A server, virtual server or access group goes by {taken!r}.", param="server_name")

    def _answer(self, hub: Hub, added: Added) -> dict[str, Any]:
        server = hub.registry.servers.get(added.name)
        if server is None or server.id != added.id:
            reason = hub.faults.get(added.name, "it is not served yet")
            raise RequestError(400, f"The server {added.name} was kept, and is not served: {reason}")
        return told(hub, server, added)


def register(routes: Routes, hub: Callable[[], Hub]) -> None:
    """Add the routes."""
    api = Api(hub)
    one = f"{_BASE}/{{server_id}}"
    table: tuple[tuple[str, str, Callable[[HttpRequest], Awaitable[HttpResponse]], str, str], ...] = (
        ("GET", _BASE, api.list, "mcp_server:read", "List MCP servers"),
        ("POST", _BASE, api.create, "mcp_server:create", "Add an MCP server"),
        ("PUT", _BASE, api.change, "mcp_server:update", "Change an MCP server that was added"),
        ("GET", f"{_BASE}/health", api.health, "mcp_server:read", "Ask MCP servers how they are"),
        ("GET", one, api.one, "mcp_server:read", "Read one MCP server"),
        ("PUT", one, api.change, "mcp_server:update", "Change an MCP server that was added"),
        ("DELETE", one, api.delete, "mcp_server:delete", "Remove an MCP server that was added"),
        ("GET", f"{one}/tools", api.waiting, "mcp_server:read", "Read what is pinned of a server's tools"),
        ("POST", f"{one}/tools/{{tool:path}}/approve", api.approve, "mcp_tool:approve", "Approve a tool's definition"),
        ("GET", f"{one}/skills", api.waiting_skills, "mcp_server:read", "Read what is pinned of a server's skills"),
        ("POST", f"{one}/skills/approve", api.approve_skill, "mcp_skill:approve", "Approve a skill's description"),
        ("GET", "/v1/mcp/access_groups", api.groups, "mcp_server:read", "List access groups of MCP servers"),
    )
    for method, path, handler, action, summary in table:
        routes.add(method, path, _guarded(handler), access="admin", action=action, summary=summary)
    tools = "List the tools of all MCP servers that the caller may use"
    routes.add("GET", "/v1/mcp/tools", api.tools, access="key", action="mcp:list", summary=tools)


def _guarded(
    handler: Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    async def handle(request: HttpRequest) -> HttpResponse:
        try:
            return await handler(request)
        except StoreUnavailable:
            raise RequestError(
                503, "The store of servers is away. Try again.", type="api_error", headers={"retry-after": "1"}
            ) from None

    return handle


def _pinned(pins: Mapping[str, Pin], key: str) -> list[dict[str, Any]]:
    return [{key: name, "approved": pin.approved or None, "waiting": pin.waiting} for name, pin in sorted(pins.items())]


def _body(request: HttpRequest) -> Mapping[str, Any]:
    try:
        body = request.json()
    except (ValueError, json.JSONDecodeError):
        body = None
    if not isinstance(body, Mapping):
        raise RequestError(400, "The body is a JSON object.")
    return body


def _ctx(request: HttpRequest) -> Context:
    if request.context is None:
        raise RequestError(500, "a request without its context", type="api_error")
    return request.context


def _who(request: HttpRequest) -> str | None:
    return request.principal.id if request.principal is not None else None


def _unknown(id: str) -> RequestError:
    return RequestError(404, f"There is no MCP server {id!r}.", code="not_found")

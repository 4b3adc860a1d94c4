"""LiteLLM's REST routes: list tools, call one.

They walk the same road as MCP itself; only the shapes are others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from routeiq_mcp.hub.face import HubFace
from routeiq_mcp.hub.lists import Silent
from routeiq_mcp.hub.policy import SEPARATOR
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import EVERYTHING, FaceSpec
from routeiq_mcp.seams import Json, McpError
from routeiq_mcp.wire import codes
from routeiq_sdk import Context, RequestError
from routeiq_sdk.values.delegation import ConsentNeeded
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_mcp.hub.hub import Hub


class Nobody(Silent):
    """Stands in for a client that can be asked nothing."""

    async def ask(self, method: str, params: Json) -> Json:
        """A caller over REST has no way to answer."""
        raise McpError(-32601, "a caller over REST cannot be asked; use MCP")


class Rest:
    """Handlers over the hub of the runtime."""

    def __init__(self, hub: Callable[[], Hub]) -> None:
        self._of = hub

    async def list(self, request: HttpRequest) -> HttpResponse:
        """Tools of all servers that the caller may use, or of the server `server_id`."""
        hub, ctx = self._of(), _ctx(request)
        asked = request.query.get("server_id")
        if asked is not None:
            server = hub.registry.find(asked)
            if server is None:
                return _fault(404, "server_not_found", f"There is no MCP server {asked!r}.")
            face = FaceSpec(server.name, (server,), prefixed=False)
        else:
            found = hub.faces.find(ctx, None)
            face = found.spec if found is not None else FaceSpec(EVERYTHING, ())
        try:
            tools = await hub.parts.tools.offered(ctx, face)
        except ConsentNeeded as error:
            return _consent(error)
        except McpError as error:
            return HttpResponse.json({"tools": [], "error": "server_error", "message": str(error)}, 502)
        told = [
            {
                **tool.definition,
                "name": tool.tool if asked is not None else tool.definition["name"],
                **_info(tool.server),
            }
            for tool in tools
        ]
        return HttpResponse.json({"tools": told, "error": None, "message": "Successfully retrieved tools"})

    async def call(self, request: HttpRequest) -> HttpResponse:
        """Call a tool of the server `server_id`, under its own name or with the server's in front."""
        hub, ctx = self._of(), _ctx(request)
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, Mapping):
            return _fault(400, "invalid_request", "The body is a JSON object.")
        id, name, arguments = body.get("server_id"), body.get("name"), body.get("arguments", {})
        if not isinstance(id, str) or not isinstance(name, str):
            missing = "server_id" if not isinstance(id, str) else "name"
            return _fault(400, "missing_parameter", f"{missing} is missing.")
        if not isinstance(arguments, Mapping):
            return _fault(400, "invalid_request", "arguments is a JSON object; {} for none.")
        server = hub.registry.find(id)
        if server is None:
            return _fault(404, "server_not_found", f"There is no MCP server {id!r}.")
        other = _owner_by_prefix(hub, server, name)
        if other is not None:
            return _fault(
                403,
                "tool_server_mismatch",
                f"Tool {name!r} belongs to MCP server {other.name!r} but request specified server_id for {id!r}.",
            )
        own = name.removeprefix(f"{server.prefix}{SEPARATOR}")
        return await self._called(hub, ctx, server, own, arguments)

    async def _called(
        self, hub: Hub, ctx: Context, server: Server, tool: str, arguments: Mapping[str, Any]
    ) -> HttpResponse:
        face = HubFace(FaceSpec(server.name, (server,), prefixed=False), hub.parts)
        try:
            result = await face.request(ctx, "tools/call", {"name": tool, "arguments": arguments}, Nobody())
        except ConsentNeeded as error:
            return _consent(error)
        except McpError as error:
            if error.code == codes.REFUSED:
                data = error.data if isinstance(error.data, Mapping) else {}
                return _fault(403, str(data.get("code") or "access_denied"), str(error))
            missing = error.code == codes.INVALID_PARAMS and str(error).startswith("Unknown tool")
            return _fault(404 if missing else 502, "tool_not_found" if missing else "tool_failed", str(error))
        if result.get("resultType") == "input_required":
            return _fault(422, "input_required", "The tool asks its caller for more, which MCP alone can answer.")
        return HttpResponse.json({key: value for key, value in result.items() if key != "resultType"})


def register(routes: Routes, hub: Callable[[], Hub]) -> None:
    """Add the routes."""
    rest = Rest(hub)
    routes.add(
        "GET", "/mcp-rest/tools/list", rest.list, access="key", action="mcp:list", summary="List tools of MCP servers"
    )
    routes.add(
        "POST",
        "/mcp-rest/tools/call",
        rest.call,
        access="key",
        action="mcp:call",
        summary="Call a tool of an MCP server",
    )


def _owner_by_prefix(hub: Hub, server: Server, name: str) -> Server | None:
    """Another server whose prefix stands in front of a tool's name, unless the asked one has such a tool itself."""
    if name.startswith(f"{server.prefix}{SEPARATOR}") or name in hub.pins.of(server.id):
        return None
    return next(
        (other for other in hub.registry.servers.values() if name.startswith(f"{other.prefix}{SEPARATOR}")), None
    )


def _info(server: Server) -> dict[str, Any]:
    told = server.about.get("mcp_info")
    info = dict(told) if isinstance(told, Mapping) else {}
    return {"mcp_info": {**info, "server_name": server.name, "server_id": server.id}}


def _ctx(request: HttpRequest) -> Context:
    if request.context is None:
        raise RequestError(500, "a request without its context", type="api_error")
    return request.context


def _consent(error: ConsentNeeded) -> HttpResponse:
    told = {"error": "consent_required", "message": str(error), "url": error.url}
    return HttpResponse.json({"detail": told}, 403)


def _fault(status: int, error: str, message: str) -> HttpResponse:
    return HttpResponse.json({"detail": {"error": error, "message": message}}, status)

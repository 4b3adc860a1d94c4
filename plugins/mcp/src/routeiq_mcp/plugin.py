"""The mcp plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from routeiq_mcp.config import McpConfig
from routeiq_sdk import Context, Gateway, Plugin, hookimpl
from routeiq_sdk.values.delegation import ProtectedResource
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes
from routeiq_sdk.values.tools import Toolbox

if TYPE_CHECKING:
    from routeiq_mcp.door import Door
    from routeiq_mcp.hub.hub import Hub

_METHODS = (
    ("POST", "post", "MCP messages"),
    ("GET", "get", "MCP notifications of a client of 2025 and before"),
    ("DELETE", "delete", "End the session of such a client"),
)


class Mcp(Plugin[McpConfig]):
    """MCP gateway for RouteIQ: many servers behind one address."""

    after = frozenset({"governance", "oidc", "oauth"})

    def __init__(self, config: McpConfig) -> None:
        super().__init__(config)
        self._hub: Hub | None = None
        self._door: Door | None = None

    @property
    def origins(self) -> Iterable[str]:
        """Addresses of the servers that the YAML names, and of what gives tokens for them."""
        for row in self.config.servers.values():
            auth = row.outbound
            told = (row.url, row.spec_path, auth.issuer, auth.token_url, auth.authorization_url, auth.identity_provider)
            yield from (url for url in told if url is not None and url.startswith(("http://", "https://")))

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        from routeiq_mcp.door import Door, DoorOptions
        from routeiq_mcp.hub.hub import Hub
        from routeiq_mcp.hub.sealing import door_key

        hub = self._hub = Hub(self.config, gateway)
        await hub.open()
        key = await door_key(self.config.encryption_key, gateway)
        self._door = Door(hub.faces, gateway, DoorOptions(keys=(key,)))
        self._door.start()

    @hookimpl
    async def teardown(self) -> None:
        if self._door is not None:
            await self._door.close()
        if self._hub is not None:
            await self._hub.close()

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        from routeiq_mcp.admin.routes import register as register_admin
        from routeiq_mcp.rest.routes import register as register_rest

        register_admin(routes, lambda: self._ready)
        register_rest(routes, lambda: self._ready)
        for name, virtual in self.config.virtual_servers.items():
            access, action = ("loopback", None) if virtual.auth == "none" else ("key", "mcp:call")
            for method, handler, summary in _METHODS:
                told = f"{summary}, of {name}"
                routes.add(
                    method, f"/{name}/mcp", self._handler(handler, name), access=access, action=action, summary=told
                )
        for path in ("/mcp", "/{server}/mcp"):
            for method, handler, summary in _METHODS:
                routes.add(method, path, self._handler(handler, None), access="key", action="mcp:call", summary=summary)

    @hookimpl
    async def health_check(self) -> Health:
        from routeiq_mcp.hub.health import health_of

        return health_of(self._ready)

    @hookimpl
    def protected_resource(self, path: str) -> ProtectedResource | None:
        from routeiq_mcp.hub.resource import resource_at

        return resource_at(self._ready, path) if self._hub is not None else None

    @hookimpl
    async def open_tools(self, ctx: Context) -> Toolbox | None:
        from routeiq_mcp.toolbox.opening import open_toolbox

        return await open_toolbox(self._ready, ctx)

    def _handler(self, method: str, name: str | None) -> _Handler:
        return _Handler(self, method, name)

    def door(self) -> Door:
        """The door, once `setup` made it."""
        if self._door is None:
            raise LookupError("mcp is not set up")
        return self._door

    @property
    def _ready(self) -> Hub:
        if self._hub is None:
            raise LookupError("mcp is not set up")
        return self._hub


class _Handler:
    """A handler of the door, which is made after the routes are."""

    def __init__(self, plugin: Mcp, method: str, name: str | None) -> None:
        self._plugin = plugin
        self._method = method
        self._name = name

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        door = self._plugin.door()
        at = door if self._name is None else door.at(self._name)
        if self._method == "post":
            return await at.post(request)
        return await (at.get(request) if self._method == "get" else at.delete(request))

"""The route table: deny by default, access declared on each route, exact paths by look-up.

Authentication is bound to the matched route, never to a path that was looked at twice.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import compile_path

from routeiq.surfaces.base import Surface
from routeiq_sdk import PluginError
from routeiq_sdk.values.http import Handler, HttpRequest

if TYPE_CHECKING:
    from routeiq.routes.exchange import Exchange

_ACTION = re.compile(r"[a-z][a-z0-9_-]*:[a-z][a-z0-9_-]*")
ACCESS = ("public", "loopback", "key", "admin", "road")
"""`road` means that the request walks the road, which authenticates; the others are checked by the app. `loopback` is
anybody, while the gateway listens on loopback alone."""
_WITHOUT_ACTION = frozenset({"public", "loopback"})

Endpoint = Callable[["Exchange"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one path. `surface` shapes its errors, `action` is what plugins decide about; `quiet` routes are
    not logged at info."""

    method: str
    path: str
    endpoint: Endpoint
    access: str
    summary: str
    surface: Surface
    action: str = ""
    owner: str = "routeiq"
    quiet: bool = False


class RouteTable:
    """All routes of one runtime."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], str, dict[str, Route]]] = []
        self.routes: list[Route] = []

    def add(self, route: Route) -> None:
        """Add a route. Raises `PluginError` when it is taken or declares no access."""
        if route.access not in ACCESS:
            raise PluginError(
                route.owner, f"route {route.path} declares access {route.access!r}.", mend=f"one of {ACCESS}"
            )
        if (route.access in _WITHOUT_ACTION) == bool(_ACTION.fullmatch(route.action)):
            raise PluginError(
                route.owner,
                f"route {route.method} {route.path} (access {route.access!r}) declares the action {route.action!r}.",
                mend="a public route has none, every other one an action like 'key:create'.",
            )
        methods = self._methods(route.path)
        if route.method in methods:
            owner = methods[route.method].owner
            raise PluginError(route.owner, f"route {route.method} {route.path} is taken by {owner}.")
        methods[route.method] = route
        self.routes.append(route)

    def match(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]] | None:
        """The methods at a path and the parameters in it."""
        methods = self._exact.get(path)
        if methods is not None:
            return methods, _NO_PARAMS
        for pattern, _, candidates in self._patterns:
            match = pattern.match(path)
            if match is not None:
                return candidates, match.groupdict()
        return None

    def _methods(self, path: str) -> dict[str, Route]:
        if "{" not in path:
            return self._exact.setdefault(path, {})
        for _, known, methods in self._patterns:
            if known == path:
                return methods
        methods = {}
        self._patterns.append((compile_path(path)[0], path, methods))
        return methods


_NO_PARAMS: Mapping[str, str] = {}


class PluginRoutes:
    """The SDK's `Routes`, for one plugin of one runtime."""

    def __init__(self, table: RouteTable, surface: Surface, owner: str, *, loopback: bool) -> None:
        self._table = table
        self._surface = surface
        self._owner = owner
        self._loopback = loopback

    def add(
        self, method: str, path: str, handler: Handler, *, access: str, summary: str, action: str | None = None
    ) -> None:
        """Serve a plugin's handler."""
        if access == "road":
            raise PluginError(self._owner, "access 'road' is for the core's own surfaces.")
        if access == "loopback" and not self._loopback:
            raise PluginError(
                self._owner,
                f"{path} is open to anybody, and the gateway listens beyond loopback.",
                mend="ask for authentication there, or set routeiq.server.host: 127.0.0.1",
            )
        route = Route(
            method.upper(), path, _endpoint(handler), access, summary, self._surface, action or "", self._owner
        )
        self._table.add(route)


def _endpoint(handler: Handler) -> Endpoint:
    async def serve(exchange: Exchange) -> None:
        request = HttpRequest(
            method=exchange.ctx.method,
            path=exchange.ctx.path,
            path_params=exchange.params,
            query=exchange.query(),
            headers=exchange.ctx.headers,
            body=await exchange.body(),
            principal=exchange.ctx.identified,
            request_id=exchange.ctx.request_id,
            client=exchange.ctx.client,
            queries=exchange.queries(),
            context=exchange.ctx,
            disconnected=exchange.disconnected,
        )
        await exchange.respond(await handler(request))

    return serve

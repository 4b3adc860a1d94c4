"""V19: no route of the core or of a plugin answers without a key, except those on a reviewed list; a route that does
not say who may call it stops the start."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from routeiq.routes.health import routes as health_routes
from routeiq.routes.llm import CHAT
from routeiq.routes.table import ACCESS, PluginRoutes, Route, RouteTable
from routeiq.server.guards import PROBE_PATHS
from routeiq_sdk import ConfigError, PluginError
from routeiq_testkit.raw import raw_exchange, raw_request

GOLDEN = Path(__file__).parent / "golden" / "public_routes.txt"
_PARAMETER = re.compile(r"\{\w+(:\w+)?\}")
HOST = ("Host", "localhost")
JSON = ("Content-Type", "application/json")


def reviewed() -> set[str]:
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


async def test_the_public_routes_are_the_reviewed_ones(fortress) -> None:
    running = await fortress()
    table: RouteTable = running.runtime.table
    assert len(table.routes) > 150
    assert {f"{route.method} {route.path}" for route in table.routes if route.access == "public"} == reviewed()


ON_LOOPBACK = {f"{method} /open/mcp" for method in ("POST", "GET", "DELETE")}
"""Routes of the virtual server that the configuration says is for anybody."""


async def test_what_is_open_on_loopback_is_what_the_configuration_opens_and_nothing_beyond(fortress) -> None:
    running = await fortress()
    opened = {f"{route.method} {route.path}" for route in running.runtime.table.routes if route.access == "loopback"}
    assert opened == ON_LOOPBACK
    with pytest.raises(PluginError, match="listens beyond loopback"):
        PluginRoutes(RouteTable(), CHAT, "p", loopback=False).add(
            "POST", "/open/mcp", _nothing, access="loopback", summary="x"
        )


@pytest.mark.parametrize(
    "told", [None, "Bearer ", "Bearer sk-wrong-2f6a0d", "Basic Og==", "Bearer null", "Bearer undefined"]
)
async def test_every_other_route_refuses_who_has_no_key(fortress, scripted_upstream, told: str | None) -> None:
    running = await fortress()
    headers = (HOST, JSON, *((("Authorization", told),) if told is not None else ()), ("Content-Length", "2"))
    open_here = reviewed() | ON_LOOPBACK
    routes = [route for route in running.runtime.table.routes if f"{route.method} {route.path}" not in open_here]
    assert routes

    async def answer(route: Route) -> str | None:
        request = raw_request(route.method, _PARAMETER.sub("x", route.path), *headers, body=b"{}")
        reply = await raw_exchange(running.url, request)
        return (
            None if reply.status in (401, 403) else f"{route.method} {route.path}: {reply.status} {reply.body[:80]!r}"
        )

    wrong: list[str] = []
    for start in range(0, len(routes), 16):
        wrong += filter(None, await asyncio.gather(*map(answer, routes[start : start + 16])))
    assert wrong == []
    assert scripted_upstream.requests == []


async def test_what_a_plugin_may_serve_without_a_key_is_no_secret(fortress) -> None:
    running = await fortress()
    for line in sorted(reviewed()):
        method, _, path = line.partition(" ")
        reply = await raw_exchange(running.url, raw_request(method, path, HOST))
        assert 200 <= reply.status < 500 or "/sso/" in path, (line, reply.status)
        assert running.key.encode() not in reply.data


def test_the_paths_that_any_host_may_name_are_the_health_probes() -> None:
    assert {route.path for route in health_routes()} == PROBE_PATHS
    assert all(route.access == "public" and route.method == "GET" for route in health_routes())


async def _nothing(*_: Any) -> None:
    raise AssertionError("never called")


def added() -> PluginRoutes:
    """Where a plugin adds its routes."""
    return PluginRoutes(RouteTable(), CHAT, "p", loopback=True)


@pytest.mark.parametrize("access", ["", "open", "none", "Public", "PUBLIC", "anonymous"])
def test_a_route_without_a_known_access_stops_the_start(access: str) -> None:
    assert access not in ACCESS
    with pytest.raises(PluginError, match="declares access"):
        RouteTable().add(Route("GET", "/x", _nothing, access, "x", CHAT, "thing:read"))


@pytest.mark.parametrize(
    "action", [None, "", "read", "thing:", ":read", "thing:read:more", "Thing:read", "thing read", "*:*"]
)
@pytest.mark.parametrize("access", ["key", "admin"])
def test_a_plugins_route_without_an_action_stops_the_start(access: str, action: str | None) -> None:
    with pytest.raises(PluginError, match="an action like"):
        added().add("GET", "/x", _nothing, access=access, summary="x", action=action)


def test_a_public_route_cannot_look_protected() -> None:
    with pytest.raises(PluginError, match="a public route has none"):
        added().add("GET", "/x", _nothing, access="public", summary="x", action="a:b")


def test_a_plugin_can_neither_take_a_route_nor_the_road() -> None:
    table = RouteTable()
    table.add(Route("GET", "/x", _nothing, "admin", "x", CHAT, "thing:read"))
    routes = PluginRoutes(table, CHAT, "p", loopback=True)
    with pytest.raises(PluginError, match="is taken by routeiq"):
        routes.add("get", "/x", _nothing, access="public", summary="x")
    with pytest.raises(PluginError, match="core's own surfaces"):
        routes.add("GET", "/y", _nothing, access="road", summary="x", action="a:b")


SILENT = """
from routeiq_sdk import Plugin, hookimpl

class Fixture(Plugin):
    @hookimpl
    def register_routes(self, routes):
        routes.add("GET", "/leak", self.leak, access="key", summary="Forgot its action")

    async def leak(self, request):
        raise AssertionError
"""


async def test_a_gateway_with_such_a_plugin_does_not_start(gateway, plugin_folder) -> None:
    plugin_folder.install("forgetful", SILENT)
    with pytest.raises(ConfigError, match=r"GET /leak .*declares the action"):
        await gateway({"routeiq": {"plugins": {"forgetful": {}}}})

"""What every plugin promises, inherited from the SDK; and what this one tells of itself."""

from __future__ import annotations

from routeiq_mcp import Mcp, McpConfig
from routeiq_sdk.testing import FakeGateway, PluginContract, make_context, running
from routeiq_sdk.testing.plugin import call_hook

ROWS = {
    "wiki": {"url": "https://wiki.example.com/mcp"},
    "api": {
        "spec_path": "https://docs.example.com/openapi.json",
        "url": "https://api.example.com",
        "auth": {
            "mode": "client_credentials",
            "client_id": "id",
            "client_secret": "s",
            "token_url": "https://as.example.com/token",
        },
    },
}


class TestMcp(PluginContract):
    plugin = Mcp
    name = "mcp"
    group = "routeiq.protocols"
    config = {"servers": {"wiki": ROWS["wiki"]}, "virtual_servers": {"v": {"servers": ["wiki"]}}}


def test_what_the_yaml_names_may_be_called_and_nothing_else() -> None:
    plugin = Mcp(McpConfig.model_validate({"servers": ROWS}))
    assert set(plugin.origins) == {
        "https://wiki.example.com/mcp",
        "https://docs.example.com/openapi.json",
        "https://api.example.com",
        "https://as.example.com/token",
    }


async def test_each_face_that_asks_who_calls_is_a_resource_of_its_own() -> None:
    virtual = {
        "desk": {"servers": ["wiki"], "scopes": ["read"]},
        "open": {"servers": ["wiki"], "auth": "none"},
    }
    plugin = Mcp(McpConfig.model_validate({"servers": {"wiki": ROWS["wiki"]}, "virtual_servers": virtual}))
    async with running(plugin, FakeGateway("mcp")):

        async def at(path: str):
            return await call_hook(plugin, "protected_resource", path)

        assert (await at("/mcp")).path == "/mcp"
        assert (await at("/wiki/mcp")).name == "wiki"
        assert (await at("/desk/mcp")).scopes == ("read",)
        for path in ("/open/mcp", "/nobody/mcp", "/wiki", "/a/b/mcp", "/"):
            assert await at(path) is None


async def test_a_chat_request_that_names_no_server_has_no_toolbox() -> None:
    plugin = Mcp(McpConfig())
    async with running(plugin, FakeGateway("mcp")):
        assert await call_hook(plugin, "open_tools", make_context()) is None

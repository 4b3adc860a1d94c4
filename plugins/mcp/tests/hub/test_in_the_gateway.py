"""The plugin in a whole gateway: real servers behind it, real clients in front of it, one road between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from fastmcp import Client as FastClient
from fastmcp.client.transports import StreamableHttpTransport
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.values import ToolCall


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(server: MCPServer) -> AsyncIterator[str]:
    """A server on a loopback port."""
    config = uvicorn.Config(
        server.streamable_http_app(), port=0, http="h11", log_level="critical", timeout_graceful_shutdown=0
    )
    uvicorn_server = _Quiet(config)
    running = asyncio.ensure_future(uvicorn_server.serve())
    async with asyncio.timeout(20):
        while not uvicorn_server.started:
            await asyncio.sleep(0.01)
    port = uvicorn_server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        uvicorn_server.should_exit = True
        await running


def wiki() -> MCPServer:
    server = MCPServer("wiki", instructions="Pages are named in English.")

    @server.tool()
    def read(page: str) -> str:
        """Read a page."""
        return f"page {page}"

    @server.tool()
    def remove(page: str) -> str:
        """Remove a page."""
        return f"{page} is gone"

    @server.resource("wiki://start")
    def start() -> str:
        """The first page."""
        return "Welcome."

    @server.resource("wiki://page/{name}")
    def page(name: str) -> str:
        """Any page."""
        return f"text of {name}"

    @server.prompt()
    def summarize(page: str) -> str:
        """Summarize a page."""
        return f"Summarize {page}."

    return server


def git() -> MCPServer:
    server = MCPServer("git")

    @server.tool()
    def log(count: int = 1) -> str:
        """Show the log."""
        return f"{count} commits"

    return server


@pytest.fixture
async def urls() -> AsyncIterator[dict[str, str]]:
    async with AsyncExitStack() as stack:
        yield {
            "wiki": await stack.enter_async_context(served(wiki())),
            "git": await stack.enter_async_context(served(git())),
        }


def config(urls: dict[str, str], models: str = "http://127.0.0.1:9", **mcp: Any) -> dict[str, Any]:
    servers = mcp.pop("servers", {})
    return {
        "model_list": [openai_row("fast", models)],
        "mcp_servers": {name: {"url": url, **servers.get(name, {})} for name, url in urls.items()},
        "routeiq": {"plugins": {"mcp": mcp}},
    }


@asynccontextmanager
async def client(running: TestGateway, path: str, mode: str = "auto", key: str | None = "") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key or running.key}"} if key is not None else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f"{running.url}{path}", http_client=http)
        async with Client(transport, mode=mode) as connected:
            yield connected


def text(result: Any) -> str:
    return str(result.content[0].text)


MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


@MODES
async def test_two_servers_are_one_for_the_sdks_client(gateway: StartGateway, urls: dict[str, str], mode: str) -> None:
    running = await gateway(config(urls))
    async with client(running, "/mcp", mode) as mcp:
        assert [tool.name for tool in (await mcp.list_tools()).tools] == ["wiki-read", "wiki-remove", "git-log"]
        assert text(await mcp.call_tool("wiki-read", {"page": "start"})) == "page start"
        assert text(await mcp.call_tool("git-log", {"count": 3})) == "3 commits"
        assert [str(found.uri) for found in (await mcp.list_resources()).resources] == ["wiki://start"]
        assert (await mcp.read_resource("wiki://start")).contents[0].text == "Welcome."
        assert (await mcp.read_resource("wiki://page/x")).contents[0].text == "text of x"
        assert [prompt.name for prompt in (await mcp.list_prompts()).prompts] == ["wiki-summarize"]
        got = await mcp.get_prompt("wiki-summarize", {"page": "start"})
        assert got.messages[0].content.text == "Summarize start."
    async with client(running, "/git/mcp", mode) as mcp:
        assert [tool.name for tool in (await mcp.list_tools()).tools] == ["log"]
        with pytest.raises(MCPError, match="Unknown tool"):
            await mcp.call_tool("read", {"page": "start"})


async def test_fastmcps_client_lists_and_calls(gateway: StartGateway, urls: dict[str, str]) -> None:
    running = await gateway(config(urls))
    transport = StreamableHttpTransport(f"{running.url}/mcp", headers={"authorization": f"Bearer {running.key}"})
    async with FastClient(transport) as mcp:
        assert [tool.name for tool in await mcp.list_tools()] == ["wiki-read", "wiki-remove", "git-log"]
        assert text(await mcp.call_tool("git-log", {})) == "1 commits"


async def test_without_a_key_nobody_is_served_but_at_a_face_that_asks_for_none(
    gateway: StartGateway, urls: dict[str, str]
) -> None:
    virtual = {
        "open": {"servers": ["wiki", "git"], "tools": ["read", "log"], "auth": "none"},
        "shut": {"servers": ["git"]},
    }
    running = await gateway(config(urls, virtual_servers=virtual))
    async with client(running, "/open/mcp", key=None) as mcp:
        assert [tool.name for tool in (await mcp.list_tools()).tools] == ["read", "log"]
        assert text(await mcp.call_tool("read", {"page": "a"})) == "page a"
        with pytest.raises(MCPError, match="Unknown tool"):
            await mcp.call_tool("remove", {"page": "a"})
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    for path in ("/mcp", "/git/mcp", "/shut/mcp", "/nobody/mcp"):
        headers = {"authorization": "Bearer sk-wrong", "accept": "application/json, text/event-stream"}
        async with running.session.post(path, json=message, headers=headers) as response:
            assert response.status == 401, path


async def test_a_server_that_dies_takes_nothing_with_it_and_is_on_the_page_of_health(
    gateway: StartGateway, urls: dict[str, str]
) -> None:
    async with served(git()) as doomed:
        running = await gateway(config({**urls, "doomed": doomed}, list_seconds=0))
        async with client(running, "/mcp") as mcp:
            assert "doomed-log" in [tool.name for tool in (await mcp.list_tools()).tools]
    async with client(running, "/mcp") as mcp:
        listed = await mcp.list_tools()
        assert [tool.name for tool in listed.tools] == ["wiki-read", "wiki-remove", "git-log"]
        assert "doomed" in str(listed.meta)
        assert text(await mcp.call_tool("git-log", {})) == "1 commits"
    async with running.session.get("/health/readiness") as response:
        assert response.status == 200
        assert "doomed" in await response.text()


async def test_a_server_is_added_changed_and_removed_while_the_gateway_runs(
    gateway: StartGateway, urls: dict[str, str]
) -> None:
    wrote = config({"git": urls["git"]})
    wrote["routeiq"]["egress"] = {"allow": [urls["wiki"].removesuffix("/mcp").removeprefix("http://")]}
    running = await gateway(wrote)
    body = {"server_name": "wiki", "url": urls["wiki"], "disallowed_tools": ["remove"]}
    async with running.session.post("/v1/mcp/server", json=body) as response:
        added = await response.json()
        assert response.status == 201, added
    async with client(running, "/mcp") as mcp:
        assert [tool.name for tool in (await mcp.list_tools()).tools] == ["git-log", "wiki-read"]
        assert text(await mcp.call_tool("wiki-read", {"page": "a"})) == "page a"
    async with running.session.get("/v1/mcp/server/health") as response:
        assert {row["server_name"]: row["status"] for row in await response.json()} == {
            "git": "healthy",
            "wiki": "healthy",
        }
    await running.app.reload()
    async with running.session.delete(f"/v1/mcp/server/{added['server_id']}") as response:
        assert response.status == 202
    async with running.session.get("/v1/mcp/server") as response:
        assert [row["server_name"] for row in await response.json()] == ["git"]


async def test_an_address_that_a_request_wrote_never_reaches_this_machine(
    gateway: StartGateway, urls: dict[str, str]
) -> None:
    """Even though the YAML names the same address as its own."""
    running = await gateway(config(urls))
    body = {"server_name": "inward", "url": urls["git"]}
    async with running.session.post("/v1/mcp/server", json=body) as response:
        assert response.status == 201
    async with client(running, "/mcp") as mcp:
        listed = await mcp.list_tools()
        assert not [tool.name for tool in listed.tools if tool.name.startswith("inward")]
        assert "inward" in str(listed.meta)


async def test_rest_lists_and_calls(gateway: StartGateway, urls: dict[str, str]) -> None:
    running = await gateway(config(urls))
    async with running.session.get("/mcp-rest/tools/list", params={"server_id": "wiki"}) as response:
        assert [tool["name"] for tool in (await response.json())["tools"]] == ["read", "remove"]
    body = {"server_id": "wiki", "name": "wiki-read", "arguments": {"page": "a"}}
    async with running.session.post("/mcp-rest/tools/call", json=body) as response:
        assert (await response.json())["content"][0]["text"] == "page a"


async def test_a_model_calls_the_gateways_tools_and_the_client_gets_the_answer(
    gateway: StartGateway, urls: dict[str, str], scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(urls, scripted_upstream.base_url))
    call = ToolCall("wiki-read", {"page": "start"}, "call_1")
    scripted_upstream.script(Reply.chat(tool_calls=[call]), Reply.chat("It says: page start"))
    tools = [{"type": "mcp", "server_label": "ours", "server_url": "litellm_proxy", "require_approval": "never"}]
    status, _, body = await running.chat("fast", tools=tools)
    assert status == 200, body
    assert body["choices"][0]["message"]["content"] == "It says: page start"
    first, second = scripted_upstream.requests
    assert [tool["function"]["name"] for tool in first.json["tools"]] == ["wiki-read", "wiki-remove", "git-log"]
    assert second.json["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "page start"}


async def test_names_that_do_not_fit_stop_the_start(gateway: StartGateway, urls: dict[str, str]) -> None:
    for virtual, told in (
        ({"git": {"servers": ["wiki"]}}, "a server or access group has this name"),
        ({"v": {"servers": ["nobody"]}}, "there is none"),
    ):
        with pytest.raises(Exception, match=told):
            await gateway(config(urls, virtual_servers=virtual))

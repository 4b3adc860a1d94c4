"""Promise: clients of other makes work at the gateway as they are, in every era that they know, whatever era the server
behind it speaks: they list, call, read, get, and answer what they are asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastmcp import Client as FastClient
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import ElicitResult, TextContent

from routeiq_testkit.gateway import KEY
from routeiq_testkit.pytest_plugin import StartGateway

from .eras import Eras
from .everything import everything
from .inspector import Era, inspect
from .node import NODE, beside_packages, run
from .through_the_gateway import in_front_of

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them
SERVERS = pytest.mark.parametrize("eras", ["legacy", "modern"])
TOOLS = {"test_simple_text", "test_error_handling", "test_elicitation"}
HEADERS = {"authorization": f"Bearer {KEY}"}
CLOSED = {"suite": {"servers": ["everything"], "prefix": False}}


@pytest.mark.parametrize(
    ("era", "eras"), [("legacy", "modern"), ("modern", "legacy"), ("auto", "legacy"), ("auto", "modern")]
)
async def test_the_inspector(gateway: StartGateway, era: Era, eras: Eras) -> None:
    async with everything(eras) as server:
        running = await gateway(in_front_of({"everything": server}, **CLOSED))

        async def asked(method: str, **more: Any) -> dict[str, Any]:
            return (await inspect(f"{running.url}/suite/mcp", method, era=era, headers=HEADERS, **more)).result

        listed = await asked("tools/list")
        assert {tool["name"] for tool in listed["tools"]} >= TOOLS
        called = await asked("tools/call", tool="test_simple_text")
        assert called["content"][0]["type"] == "text"
        if era != "auto":
            read = await asked("resources/read", uri="test://static-text")
            assert read["contents"][0]["uri"] == "test://static-text"


@SERVERS
@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_fastmcp(gateway: StartGateway, mode: str, eras: Eras) -> None:
    async def answered(message: str, response_type: Any, params: Any, context: Any) -> Any:
        return ElicitResult(action="accept", content={"username": "ada", "email": "ada@example.com"})

    async with everything(eras) as server:
        running = await gateway(in_front_of({"everything": server}, **CLOSED))
        transport = StreamableHttpTransport(f"{running.url}/suite/mcp", headers=HEADERS)
        async with FastClient(transport, mode=mode, elicitation_handler=answered) as client:
            assert {tool.name for tool in await client.list_tools()} >= TOOLS
            assert texts(await client.call_tool("test_simple_text", {}))
            assert "test://static-text" in {str(resource.uri) for resource in await client.list_resources()}
            assert (await client.read_resource("test://static-text"))[0].text
            prompts = {prompt.name for prompt in await client.list_prompts()}
            assert "test_simple_prompt" in prompts
            assert (await client.get_prompt("test_simple_prompt", {})).messages
            asked = await client.call_tool("test_elicitation", {"message": "who?"}, raise_on_error=False)
            assert "ada" in "".join(texts(asked))


@SERVERS
async def test_the_typescript_sdk(gateway: StartGateway, eras: Eras) -> None:
    program = str(beside_packages("typescript_client.mjs"))
    async with everything(eras) as server:
        running = await gateway(in_front_of({"everything": server}, **CLOSED))
        said = [f"{running.url}/suite/mcp", KEY, "test_input_required_result_elicitation", "{}"]
        done = await run(str(NODE), program, *said, seconds=60)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert set(told["tools"]) >= TOOLS
    assert told["result"]["content"] == [{"type": "text", "text": "Hello, Ada!"}]


def texts(result: Any) -> list[str]:
    return [content.text for content in result.content if isinstance(content, TextContent)]

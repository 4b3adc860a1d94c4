"""Agents as models of the chat routes and as tools for MCP: one permission, one guard, the owner's conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest

ANN = {"authorization": "Bearer person-ann"}


async def chat(gateway: Any, model: str, text: str, person: str = "person-ann", **fields: Any) -> tuple[int, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    headers = {"authorization": f"Bearer {person}"}
    async with gateway.session.post("/v1/chat/completions", json=body, headers=headers) as response:
        raw = (await response.read()).decode()
        return response.status, raw if fields.get("stream") else json.loads(raw)


@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_an_agent_answers_as_a_model(run_agent, open_gateway, version) -> None:
    agent = await run_agent(version=version)
    row = {"model_name": "helper", "litellm_params": {"model": "a2a/echo"}}
    gateway = await open_gateway(
        top={"model_list": [row]}, agents={"echo": {"url": agent.url, "as_model": True}, "other": {"url": agent.url}}
    )
    for model in ("agent/echo", "helper"):
        status, body = await chat(gateway, model, "hello")
        assert status == 200, body
        assert body["choices"][0]["message"]["content"] == "echo: hello"
    assert (await chat(gateway, "agent/echo", "message me"))[1]["choices"][0]["message"][
        "content"
    ] == "said: message me"
    assert (await chat(gateway, "agent/other", "hello"))[0] in (400, 404)
    async with gateway.session.get("/v1/models", headers=ANN) as response:
        assert "agent/echo" in {each["id"] for each in (await response.json())["data"]}


async def test_a_stream_has_the_agents_pieces(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url, "as_model": True}})
    status, raw = await chat(gateway, "agent/echo", "pieces", stream=True)
    assert status == 200
    chunks = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith("data: {")]
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]]
    assert [text for text in texts if text] == ["one ", "two ", "three"]
    assert raw.rstrip().endswith("[DONE]")


async def test_a_conversation_goes_on_for_its_owner_alone(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url, "as_model": True}})
    for person in ("person-ann-1", "person-ann-2", "person-bob"):
        assert (await chat(gateway, "agent/echo", "hello", person, user="my-talk"))[0] == 200
    first, second, third = agent.executor.contexts
    assert first == second
    assert first != third
    assert "my-talk" not in first


async def test_who_may_not_use_the_agent_may_not_use_its_model(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url, "as_model": True}})
    status, _ = await chat(gateway, "agent/echo", "hello", "person-eve")
    assert status == 404
    assert agent.paths == []


async def test_an_agent_that_is_away_is_an_error_of_the_model(open_gateway) -> None:
    gateway = await open_gateway(agents={"dead": {"url": "http://127.0.0.1:9", "as_model": True}})
    status, body = await chat(gateway, "agent/dead", "hello")
    assert status == 503
    assert "cannot be reached" in body["error"]["message"]


CALLER = """
from routeiq_sdk import Plugin, PluginConfig, hookimpl
from routeiq_sdk.values.http import HttpResponse
from routeiq_sdk.values.tools import ToolServerError
class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def setup(self, gateway):
        self.gateway = gateway

    @hookimpl
    def register_routes(self, routes):
        routes.add("POST", "/tools/{method:path}", self.serve, access="key", summary="Call", action="mcp:call")

    async def serve(self, request):
        server = self.gateway.tool_servers["agents"]
        try:
            result = await server.handle(request.context, request.path_params["method"], request.json())
        except ToolServerError as error:
            return HttpResponse.json({"code": error.code, "message": error.message}, 400)
        return HttpResponse.json(result)
"""


async def tools(gateway: Any, method: str, params: Any, person: str = "person-ann") -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {person}"}
    async with gateway.session.post(f"/tools/{method}", json=params, headers=headers) as response:
        return response.status, await response.json()


async def test_agents_are_tools_of_a_server_inside_the_gateway(run_agent, open_gateway, plugin_folder) -> None:
    plugin_folder.install("caller", CALLER)
    agent = await run_agent()
    gateway = await open_gateway(
        plugins={"caller": {}},
        agents={"echo": {"url": agent.url, "as_tools": True}, "other": {"url": agent.url}},
    )
    _, listed = await tools(gateway, "tools/list", {})
    assert [tool["name"] for tool in listed["tools"]] == ["echo"]
    assert "Says it again." in listed["tools"][0]["description"]
    arguments = {"message": "hello", "conversation": "c"}
    _, result = await tools(gateway, "tools/call", {"name": "echo", "arguments": arguments})
    assert result == {"content": [{"type": "text", "text": "echo: hello"}], "isError": False}
    _, failed = await tools(gateway, "tools/call", {"name": "echo", "arguments": {"message": "fail"}})
    assert failed == {"content": [{"type": "text", "text": "it broke"}], "isError": True}
    for params in ({"name": "other", "arguments": {"message": "x"}}, {"name": "echo", "arguments": {}}, {}):
        status, error = await tools(gateway, "tools/call", params)
        assert (status, error["code"]) == (400, -32602)
    assert (await tools(gateway, "resources/list", {}))[1]["code"] == -32601
    assert (await tools(gateway, "tools/list", {}, "person-eve"))[1] == {"tools": []}
    calling = {"name": "echo", "arguments": {"message": "x"}}
    assert (await tools(gateway, "tools/call", calling, "person-eve"))[0] == 400


async def test_without_such_agents_there_is_no_server(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    assert "agents" not in gateway.runtime.tool_servers

"""The tool loop: a chat request that names the gateway's tools is answered round by round, whole or as a stream."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from routeiq_testkit import Reply
from routeiq_testkit.values import ToolCall

TOOLBOX = """
class Box:
    def __init__(self, body: Any) -> None:
        self.functions = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
        self.body = {**body, "tools": [tool for tool in body.get("tools", ()) if tool.get("type") != "mcp"]}
        self.body.pop("mcp_servers", None)

    def owns(self, name: str) -> bool:
        return name == "weather"

    async def call(self, ctx: Context, name: str, arguments: Any) -> str:
        note(f"{name} {arguments}")
        return f"It is sunny in {arguments['city']}"

@hookimpl
async def open_tools(self, ctx: Context) -> Any:
    note("asked")
    body = ctx.request.json()
    named = body.get("mcp_servers") or [tool for tool in body.get("tools", ()) if tool.get("type") == "mcp"]
    return self.Box(body) if named else None
"""
MCP = {"type": "mcp", "server_label": "weather", "server_url": "litellm_proxy", "require_approval": "never"}
ASKS = ToolCall("weather", {"city": "Rome"}, id="call_1")


async def test_the_tool_loop_asks_runs_and_asks_again(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    bench.up.script(Reply.chat(tool_calls=[ASKS]), Reply.chat("Sunny."))
    status, headers, body = await gateway.chat("fast", "weather?", tools=[MCP])
    assert (status, body["choices"][0]["message"]["content"]) == (200, "Sunny.")
    first, second = bench.up.requests
    assert [tool["function"]["name"] for tool in first.json["tools"]] == ["weather"]
    assert second.json["messages"][-1] == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": "It is sunny in Rome",
    }
    assert bench.journal == ["asked", "weather {'city': 'Rome'}"]
    assert body["model"] == "fast"
    assert body["usage"]["total_tokens"] > 0
    assert "x-litellm-call-id" in headers


def chunks(text: bytes) -> list[Any]:
    """The JSON of a stream's events, in their order."""
    lines = [line.removeprefix(b"data: ") for line in text.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def said(text: bytes) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks(text) for choice in chunk["choices"])


async def test_a_stream_tells_every_round_and_ends_once(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    bench.up.script(Reply.stream(["Let me ", "look."], tool_calls=[ASKS]), Reply.stream(["Sun", "ny."]))
    status, headers, text = await gateway.stream(
        "fast", "weather?", tools=[MCP], stream_options={"include_usage": True}
    )
    assert (status, said(text)) == (200, "Let me look.\n\nSunny.")
    assert text.count(b"[DONE]") == 1
    assert text.rstrip().endswith(b"data: [DONE]")
    told = chunks(text)
    assert {(chunk["id"], chunk["model"]) for chunk in told} == {(told[0]["id"], "fast")}
    assert [choice["finish_reason"] for chunk in told for choice in chunk["choices"]][-1] == "stop"
    assert b"tool_calls" not in text
    assert [chunk["usage"]["total_tokens"] > 0 for chunk in told if not chunk["choices"]] == [True]
    assert "x-litellm-call-id" in headers
    assert bench.journal == ["asked", "weather {'city': 'Rome'}"]
    second = bench.up.requests[1].json["messages"][-2:]
    assert second[0]["content"] == "Let me look."
    assert second[0]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert second[1]["content"] == "It is sunny in Rome"


async def test_words_reach_the_client_before_the_tool_runs(bench) -> None:
    waiting = TOOLBOX.replace(
        'return f"It',
        "while 'read' not in note.__self__:\n            await asyncio.sleep(0.005)\n        return f\"It",
    )
    gateway = await bench.serve({"box": waiting})
    bench.up.script(Reply.stream(["Let me look."], tool_calls=[ASKS]), Reply.stream(["Sunny."]))
    body = {"model": "fast", "messages": [{"role": "user", "content": "?"}], "stream": True, "tools": [MCP]}
    async with asyncio.timeout(20), gateway.session.post("/v1/chat/completions", json=body) as response:
        first = await response.content.readline()
        assert json.loads(first.removeprefix(b"data: "))["choices"][0]["delta"]["content"] == "Let me look."
        bench.journal.append("read")
        assert said(await response.read()) == "\n\nSunny."


async def test_a_client_that_goes_ends_the_round_that_is_being_streamed(bench) -> None:
    records = """
@hookimpl
def record(self, ctx: Context, record: Record) -> None:
    note(f"{record.route.partition(':')[0]} {record.status}")
"""
    gateway = await bench.serve({"box": TOOLBOX, "records": records})
    bench.up.script(Reply.stream(["Let me look."], tool_calls=[ASKS]), Reply.stream(["Sun", "ny."], gap=30))
    body = {"model": "fast", "messages": [{"role": "user", "content": "?"}], "stream": True, "tools": [MCP]}
    async with asyncio.timeout(20):
        async with gateway.session.post("/v1/chat/completions", json=body) as response:
            await response.content.readline()
            while len(bench.up.requests) < 2:
                await asyncio.sleep(0.01)
        while "/v1/chat/completions 499" not in bench.journal:
            await asyncio.sleep(0.01)
    assert [line for line in bench.journal if line.startswith("nested")] == ["nested 200", "nested 499"]


async def test_a_stream_that_fails_in_its_first_round_is_an_error(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    bench.up.script(Reply.error(400, "invalid_request_error", "no such thing"))
    status, _, text = await gateway.stream("fast", "weather?", tools=[MCP])
    assert (status, json.loads(text)["error"]["code"]) == (400, "400")


@pytest.mark.parametrize(
    "later", [Reply.error(400, "invalid_request_error", "no such thing"), Reply.stream_error(["Sun"])]
)
async def test_a_later_round_that_fails_ends_the_stream_with_an_error(bench, later: Reply) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    bench.up.script(Reply.stream(["Let me look."], tool_calls=[ASKS]), later)
    status, _, text = await gateway.stream("fast", "weather?", tools=[MCP])
    assert status == 200
    assert b"[DONE]" not in text
    assert chunks(text)[-1]["error"]["message"]
    assert said(text.rpartition(b"data: ")[0]).startswith("Let me look.")


async def test_a_streams_call_of_the_clients_own_tool_comes_whole(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    own = {"type": "function", "function": {"name": "mine", "parameters": {"type": "object"}}}
    bench.up.script(Reply.stream([], tool_calls=[ASKS, ToolCall("mine", {"a": 1}, id="call_2")]))
    _, _, text = await gateway.stream("fast", "both?", tools=[MCP, own])
    told = [choice for chunk in chunks(text) for choice in chunk["choices"]]
    calls = [call for choice in told for call in choice["delta"].get("tool_calls", ())]
    assert calls == [
        {"index": 0, "id": "call_2", "type": "function", "function": {"name": "mine", "arguments": '{"a": 1}'}}
    ]
    assert told[-1]["finish_reason"] == "tool_calls"
    assert bench.journal == ["asked"]


async def test_a_streams_rounds_are_guarded_and_recorded_as_streams(bench) -> None:
    stops = """
@hookimpl
def stream_filter(self, ctx: Context) -> Any:
    class Filter:
        def feed(self, delta: str) -> Any:
            return Stop("that word", type="fixture_stop") if "secret" in delta else [delta]
        def end(self) -> Any:
            return []
    return Filter()

@hookimpl
def record(self, ctx: Context, record: Record) -> None:
    note(f"{record.route.partition(':')[0]} {record.stream} {record.status}")
"""
    gateway = await bench.serve({"box": TOOLBOX, "stops": stops})
    bench.up.script(Reply.stream(["Looking."], tool_calls=[ASKS]), Reply.stream(["the ", "secret"]))
    _, _, text = await gateway.stream("fast", "weather?", tools=[MCP])
    assert said(text.rpartition(b"data: ")[0]) == "Looking.\n\nthe "
    assert chunks(text)[-1]["error"]["type"] == "fixture_stop"
    async with asyncio.timeout(20):
        while len(records := [line for line in bench.journal if line.endswith(("200", "400"))]) < 3:
            await asyncio.sleep(0.01)
    assert records == ["nested True 200", "nested True 400", "/v1/chat/completions True 400"]


async def test_an_anthropic_clients_stream_has_its_own_shape(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    bench.up.script(Reply.stream(["Let me look."], tool_calls=[ASKS]), Reply.stream(["Sunny."]))
    asked = {
        "model": "fast",
        "max_tokens": 50,
        "stream": True,
        "messages": [{"role": "user", "content": "weather?"}],
        "mcp_servers": [{"type": "url", "name": "weather", "url": "litellm_proxy"}],
    }
    async with gateway.session.post("/v1/messages", json=asked) as response:
        told = chunks(await response.read())
    assert [event["type"] for event in told] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert "".join(event["delta"]["text"] for event in told if event["type"] == "content_block_delta") == (
        "Let me look.\n\nSunny."
    )
    assert told[-2]["delta"]["stop_reason"] == "end_turn"
    assert told[-2]["usage"]["output_tokens"] > 0


async def test_an_anthropic_client_gets_its_own_shape(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    bench.up.script(Reply.chat(tool_calls=[ASKS]), Reply.chat("Sunny."))
    asked = {
        "model": "fast",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "weather?"}],
        "mcp_servers": [{"type": "url", "name": "weather", "url": "litellm_proxy"}],
    }
    async with gateway.session.post("/v1/messages", json=asked) as response:
        status, body = response.status, await response.json()
    assert status == 200, body
    assert (body["type"], body["content"]) == ("message", [{"type": "text", "text": "Sunny."}])


async def test_a_tool_of_the_clients_own_ends_the_loop(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    own = {"type": "function", "function": {"name": "mine", "parameters": {"type": "object"}}}
    bench.up.script(Reply.chat(tool_calls=[ASKS, ToolCall("mine", {}, id="call_2")]))
    _, _, body = await gateway.chat("fast", "both?", tools=[MCP, own])
    assert [call["function"]["name"] for call in body["choices"][0]["message"]["tool_calls"]] == ["mine"]
    assert bench.journal == ["asked"]


async def test_the_loop_is_bounded_and_its_last_round_may_call_nothing(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX}, routeiq={"limits": {"tool_rounds": 3}})
    bench.up.script(*[Reply.chat(tool_calls=[ASKS])] * 3)
    status, _, body = await gateway.chat("fast", "weather?", tools=[MCP])
    assert (status, body["error"]["type"]) == (400, "tool_rounds_exceeded")
    assert len(bench.up.requests) == 3
    assert bench.up.requests[-1].json["tool_choice"] == "none"


async def test_a_request_that_names_no_server_walks_the_road_as_ever(bench) -> None:
    gateway = await bench.serve({"box": TOOLBOX})
    own = {"type": "function", "function": {"name": "mcp_like", "parameters": {"type": "object"}}}
    status, _, _ = await gateway.chat("fast", "hello", tools=[own])
    assert status == 200
    assert bench.journal == ["asked"]
    assert bench.up.requests[0].json["tools"] == [own]

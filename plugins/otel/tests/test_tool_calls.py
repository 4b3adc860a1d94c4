"""Calls of tools and agents become spans and metrics of the conventions, in the caller's trace, without a value of
theirs."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from routeiq_otel.config import Tail
from routeiq_otel.envelope import Envelope
from routeiq_otel.instruments import Instruments
from routeiq_otel.sampling import Head, Sampling
from routeiq_otel.tool_calls import add_session, spans_of
from routeiq_sdk import Event
from routeiq_sdk.events import ToolCallV1, ToolSessionV1
from routeiq_testkit import Reply, ScriptedUpstream, ToolCall
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .collector import REQUESTS, Export, HttpCollector, Received, point, told

TRACE, CALLER, OWN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
AT = 1_700_000_000_000_000_000


def event(**fields: Any) -> Event:
    """A call of an MCP tool that went well, unless told otherwise."""
    values: dict[str, Any] = {
        "event_id": "req-1-tool-1",
        "timestamp_utc": "2026-01-01T00:00:00.000Z",
        "request_id": "req-1",
        "trace_id": TRACE,
        "protocol": "mcp",
        "server": "weather",
        "tool": "forecast",
        "argument_names": ("city",),
        "arguments_sha256": "0" * 64,
        "outcome": "ok",
        "latency_ms": 20.0,
        "upstream_ms": 15.0,
        "principal": "key-1",
        "user": "alice@example.com",
        "team": "red",
        "action": "mcp:call",
        "span_id": OWN,
        "parent_span_id": CALLER,
        "attributes": {
            "auth_mode": "vault",
            "virtual_server": "desk",
            "upstream_era": "modern",
            "upstream_version": "2026-07-28",
            "token_sha256": "f00d",
            "method": "tools/call",
            "protocol_version": "2025-11-25",
            "request_id": "7",
            "session_sha256": "aa" * 8,
            "upstream_request_id": "41",
            "upstream_transport": "tcp",
            "upstream_protocol": "http",
            "upstream_address": "tools.example",
            "upstream_port": "8443",
        },
    }
    return ToolCallV1(**{**values, **fields}).event(AT)


def read(told_of: Event) -> list[Span]:
    body = Envelope({}).around([spans_of(told_of)])
    return Received([Export("traces", "", {}, body, REQUESTS["traces"].FromString(body))]).spans


def test_a_clients_call_is_a_server_span_with_the_upstreams_below_it() -> None:
    server, client = read(event(cost=2_000_000))
    assert (server.name, server.kind) == ("tools/call forecast", Span.SPAN_KIND_SERVER)
    assert (client.name, client.kind) == ("tools/call forecast", Span.SPAN_KIND_CLIENT)
    assert [span.trace_id.hex() for span in (server, client)] == [TRACE, TRACE]
    assert (server.span_id.hex(), server.parent_span_id.hex(), server.flags) == (OWN, CALLER, 0x301)
    assert (client.parent_span_id, client.flags) == (server.span_id, 0x101)
    assert (server.start_time_unix_nano, server.end_time_unix_nano) == (AT, AT + 20_000_000)
    assert (client.start_time_unix_nano, client.end_time_unix_nano) == (AT + 5_000_000, AT + 20_000_000)
    facts, inbound = told(client.attributes), told(server.attributes)
    for each in (facts, inbound):
        assert each.pop("routeiq.principal.hash") != "key-1"
        assert each.pop("user.hash") != "alice@example.com"
    both = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "forecast",
        "mcp.method.name": "tools/call",
        "network.transport": "tcp",
        "network.protocol.name": "http",
        "routeiq.upstream": "weather",
        "routeiq.upstream_era": "modern",
        "routeiq.virtual_server": "desk",
        "routeiq.auth_mode": "vault",
        "routeiq.request_id": "req-1",
        "routeiq.team": "red",
        "routeiq.tool.outcome": "ok",
        "routeiq.cost_usd": pytest.approx(0.002),
    }
    assert facts == both | {
        "mcp.protocol.version": "2026-07-28",
        "jsonrpc.request.id": "41",
        "server.address": "tools.example",
        "server.port": 8443,
    }
    assert inbound == both | {
        "mcp.protocol.version": "2025-11-25",
        "jsonrpc.request.id": "7",
        "mcp.session.id": "aa" * 8,
    }


def test_a_program_is_called_through_a_pipe_and_a_server_inside_through_nothing() -> None:
    wire = {"method": "tools/call", "upstream_transport": "pipe", "upstream_session_sha256": "bb" * 8}
    _, client = read(event(attributes=wire))
    facts = told(client.attributes)
    assert facts["network.transport"] == "pipe"
    assert facts["mcp.session.id"] == "bb" * 8
    assert "network.protocol.name" not in facts
    _, inside = read(event(attributes={"method": "tools/call"}))
    assert "network.transport" not in told(inside.attributes)


def test_an_error_of_the_protocol_is_told_by_its_code() -> None:
    wire = {"rpc_status_code": "-32602", "upstream_rpc_status_code": "-32602"}
    for span in read(event(outcome="failed", error_type="McpError", attributes=wire)):
        assert told(span.attributes)["rpc.response.status_code"] == "-32602"
    away, asked = read(event(outcome="failed", error_type="Failure", attributes={"rpc_status_code": "-32053"}))
    assert told(away.attributes)["rpc.response.status_code"] == "-32053"
    assert "rpc.response.status_code" not in told(asked.attributes)


def test_a_call_that_was_refused_has_no_upstream() -> None:
    (server,) = read(event(outcome="refused", error_type="tool_access_denied", upstream_ms=None))
    assert told(server.attributes)["error.type"] == "tool_access_denied"
    assert server.status.code == Status.STATUS_CODE_ERROR


def test_a_tools_own_failure_is_an_error_of_both_spans() -> None:
    for span in read(event(outcome="tool_error", error_type="tool_error")):
        assert told(span.attributes)["error.type"] == "tool_error"
        assert span.status.code == Status.STATUS_CODE_ERROR


def test_a_tool_that_a_model_asked_for_hangs_below_the_request() -> None:
    (client,) = read(event(action="chat:create"))
    assert (client.kind, client.parent_span_id.hex(), client.flags) == (Span.SPAN_KIND_CLIENT, CALLER, 0x101)


def test_what_is_no_tool_is_named_by_its_method() -> None:
    for method, facts, name in (
        ("resources/read", {"resource_uri": "file:///notes"}, "resources/read"),
        ("prompts/get", {"prompt": "greet"}, "prompts/get greet"),
        ("skills/get", {}, "skills/get"),
        ("tasks/get", {"method": "tasks/get"}, "tasks/get"),  # of an extension that the gateway does not know
    ):
        for span in read(event(tool=method, attributes=facts)):
            assert span.name == name
            attributes = told(span.attributes)
            assert attributes["mcp.method.name"] == method
            assert attributes.get("mcp.resource.uri") == facts.get("resource_uri")
            assert attributes.get("gen_ai.prompt.name") == facts.get("prompt")
            assert not {"gen_ai.tool.name", "gen_ai.operation.name"} & attributes.keys()


def test_sessions_are_counted_when_they_end() -> None:
    instruments = Instruments(10)
    for side in ("server", "client"):
        ended = ToolSessionV1(
            event_id=side,
            timestamp_utc="2026-01-01T00:00:00.000Z",
            protocol="mcp",
            side=side,  # type: ignore[arg-type]
            server="weather",
            session_sha256=None,
            protocol_version="2025-11-25",
            transport="tcp" if side == "server" else "pipe",
            duration_ms=90_000.0,
            ended_by="client" if side == "server" else "gateway",
        )
        add_session(instruments, ended.event(AT))
    (inbound,), (outbound,) = instruments.mcp_server_sessions.used(), instruments.mcp_client_sessions.used()
    assert (inbound.sum, outbound.sum) == (90.0, 90.0)


def test_an_agent_is_invoked() -> None:
    facts = {
        "delegation": "exchange",
        "protocol_version": "1.0",
        "conversation_id": "c-1",
        "method": "SendMessage",
        "agent_id": "a-1",
        "agent_version": "2.1",
        "task_id": "t-1",
        "task_state": "TASK_STATE_WORKING",
        "upstream_transport": "tcp",
        "upstream_protocol": "http",
        "upstream_address": "agent.example",
        "upstream_port": "443",
    }
    (span,) = read(event(protocol="a2a", server="planner", tool="message/send", action="a2a:call", attributes=facts))
    assert (span.name, span.kind, span.parent_span_id.hex()) == ("invoke_agent planner", Span.SPAN_KIND_CLIENT, CALLER)
    attributes = told(span.attributes)
    assert attributes["gen_ai.operation.name"] == "invoke_agent"
    assert attributes["gen_ai.agent.name"] == "planner"
    assert attributes["gen_ai.conversation.id"] == "c-1"
    assert (attributes["a2a.method"], attributes["a2a.protocol.version"]) == ("SendMessage", "1.0")
    assert (attributes["gen_ai.agent.id"], attributes["gen_ai.agent.version"]) == ("a-1", "2.1")
    assert (attributes["a2a.task.id"], attributes["a2a.task.state"]) == ("t-1", "TASK_STATE_WORKING")
    assert (attributes["server.address"], attributes["server.port"]) == ("agent.example", 443)
    assert (attributes["network.transport"], attributes["network.protocol.name"]) == ("tcp", "http")
    assert attributes["routeiq.auth_mode"] == "exchange"


def test_the_callers_choice_and_the_tail_decide_which_calls_are_exported() -> None:
    plain = Sampling(Head(), None)
    assert plain.keeps_call(event().payload)
    assert not plain.keeps_call(event(sampled=False).payload)
    tail = Sampling(Head(), Tail(slower_than_ms=1000, cost_above_usd=1, ratio=0))
    assert not tail.keeps_call(event().payload)
    assert not tail.keeps_call(event(outcome="refused").payload)
    for odd in ({"outcome": "tool_error"}, {"latency_ms": 1001.0}, {"cost": 1_000_000_001}):
        assert tail.keeps_call(event(**odd).payload)


CALLING = """
from routeiq_sdk import *
from routeiq_sdk.values.http import HttpResponse
from routeiq_sdk.values.tools import ToolCall, ToolResult

FACTS = {"session_sha256": "aa" * 8, "request_id": "7", "protocol_version": "2025-11-25"}

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def setup(self, gateway):
        self.gateway = gateway

    @hookimpl
    def register_routes(self, routes):
        routes.add("POST", "/call", self.serve, access="key", summary="Call a tool", action="tool:call")

    async def invoke(self, ctx, protocol, arguments):
        async def run(call):
            call.learned.update(upstream_transport="tcp", upstream_request_id="41")
            return ToolResult({"content": [{"type": "text", "text": "the result is s3cret"}]})

        call = ToolCall(protocol, "weather", "forecast", arguments, attributes=FACTS)
        return await self.gateway.tools.call(ctx, call, run)

    async def serve(self, request):
        told = request.json()
        await self.invoke(request.context, told["protocol"], {"city": "Atlantis"})
        return HttpResponse.json({})

    @hookimpl
    async def open_tools(self, ctx):
        return Box(self, ctx.request.json())

class Box:
    def __init__(self, plugin, body):
        self.plugin = plugin
        self.functions = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
        self.body = {name: value for name, value in body.items() if name != "tools"}

    def owns(self, name):
        return name == "weather"

    async def call(self, ctx, name, arguments):
        return str((await self.plugin.invoke(ctx, "mcp", arguments)).content)
"""


async def test_calls_in_a_whole_gateway_are_in_the_callers_trace(
    gateway: StartGateway,
    scripted_upstream: ScriptedUpstream,
    otlp_collector: HttpCollector,
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install("calling", CALLING)
    plugins = {"otel": {"endpoint": otlp_collector.url, "linger_seconds": 0.01}, "calling": {}}
    rows = [openai_row("fast", scripted_upstream.base_url, "good")]
    running = await gateway({"model_list": rows, "routeiq": {"plugins": plugins}})
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    for protocol in ("mcp", "a2a"):
        async with running.session.post("/call", json={"protocol": protocol}, headers=headers) as response:
            assert response.status == 200, await response.text()
    await otlp_collector.until(lambda: len(otlp_collector.spans) == 3)
    server, client, agent = otlp_collector.spans
    inbound, outbound = told(server.attributes), told(client.attributes)
    assert (inbound["mcp.session.id"], inbound["jsonrpc.request.id"]) == ("aa" * 8, "7")
    assert (outbound["network.transport"], outbound["jsonrpc.request.id"]) == ("tcp", "41")
    assert "mcp.session.id" not in outbound
    assert [span.trace_id.hex() for span in (server, client, agent)] == [TRACE] * 3
    assert server.parent_span_id.hex() == agent.parent_span_id.hex() == CALLER
    assert client.parent_span_id == server.span_id
    assert agent.name == "invoke_agent weather"
    scripted_upstream.script(Reply.chat(tool_calls=[ToolCall("weather", {"city": "Atlantis"})]), Reply.chat("Sunny."))
    asked = {
        "model": "fast",
        "messages": [{"role": "user", "content": "weather?"}],
        "tools": [{"type": "mcp", "server_label": "weather", "server_url": "litellm_proxy"}],
    }
    async with running.session.post("/v1/chat/completions", json=asked, headers=headers) as response:
        assert response.status == 200, await response.text()
    await otlp_collector.until(
        lambda: (
            any(span.name == "POST /v1/chat/completions" for span in otlp_collector.spans)
            and len([span for span in otlp_collector.spans if span.name == "tools/call forecast"]) == 3
        )
    )
    chat = next(span for span in otlp_collector.spans if span.name == "POST /v1/chat/completions")
    below = [span for span in otlp_collector.spans if span.parent_span_id == chat.span_id]
    assert "tools/call forecast" in {span.name for span in below}
    await running.app.stop()
    metrics = otlp_collector.metrics
    what = {"mcp__method__name": "tools/call", "gen_ai__tool__name": "forecast", "routeiq__upstream": "weather"}
    assert point(metrics["mcp.server.operation.duration"], **what).count == 1
    assert point(metrics["mcp.client.operation.duration"], **what).count == 2
    invoked = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": "weather"}
    assert point(metrics["gen_ai.client.operation.duration"], **invoked).count == 1
    assert b"Atlantis" not in otlp_collector.everything()
    assert b"s3cret" not in otlp_collector.everything()

"""The road of tool calls: what plugins forbid, change, withhold and count, and that every call leaves one event."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from routeiq_testkit.gateway import openai_row

CALLER = """
from routeiq_sdk.values.tools import ToolCall, ToolResult, ToolDefinition

@hookimpl
async def setup(self, gateway: Gateway) -> None:
    self.gateway = gateway

@hookimpl
def register_routes(self, routes: Any) -> None:
    routes.add("POST", "/tool/{name}", self.serve, access="key", summary="Call a tool", action="tool:call")
    routes.add("GET", "/tools", self.list, access="key", summary="List tools", action="tool:list")

async def serve(self, request: Any) -> HttpResponse:
    from routeiq_sdk.values.tools import ToolCall, ToolResult

    async def run(call: ToolCall) -> ToolResult:
        note(f"ran {call.tool} {dict(call.arguments)}")
        if call.tool == "broken":
            raise ValueError("the upstream is broken")
        content = {"content": [{"type": "text", "text": f"told {call.arguments}"}]}
        return ToolResult(content, is_error=call.tool == "failing")

    call = ToolCall("mcp", "files", request.path_params["name"], request.json(), price=7)
    result = await self.gateway.tools.call(request.context, call, run)
    return HttpResponse.json(dict(result.content))

async def list(self, request: Any) -> HttpResponse:
    names = ("read", "write")
    return HttpResponse.json(sorted(await self.gateway.tools.permitted(request.context, "mcp", "files", names)))
"""

SINK = """
@hookimpl
async def emit(self, events: Any) -> None:
    for event in events:
        if event.name in ("routeiq.tool_call.v1", "routeiq.guard.v1"):
            import json
            note(json.dumps({"event": event.name, **event.payload}))
"""


async def events(bench: Any, most: int) -> list[dict[str, Any]]:
    """The events told so far, once there are `most`."""
    async with asyncio.timeout(20):
        while len(found := [json.loads(line) for line in bench.journal if line.startswith("{")]) < most:
            await asyncio.sleep(0.01)
    return found


async def ask(gateway: Any, method: str, path: str, **how: Any) -> tuple[int, Any, Any]:
    headers = {"authorization": f"Bearer {how.pop('key', gateway.key)}", **how.pop("headers", {})}
    async with gateway.session.request(method, path, headers=headers, **how) as response:
        return response.status, response.headers, await response.json()


async def call(gateway: Any, tool: str, **arguments: Any) -> tuple[int, Any]:
    status, _, body = await ask(gateway, "POST", f"/tool/{tool}", json=arguments)
    return status, body


async def test_a_call_runs_and_leaves_one_event_without_its_values(bench) -> None:
    gateway = await bench.serve({"caller": CALLER, "sink": SINK})
    status, body = await call(gateway, "read", path="/etc/motd")
    assert status == 200
    assert body["content"][0]["text"] == "told {'path': '/etc/motd'}"
    (event,) = await events(bench, 1)
    assert (event["outcome"], event["server"], event["tool"], event["argument_names"]) == (
        "ok",
        "files",
        "read",
        ["path"],
    )
    assert event["principal"]
    assert "motd" not in json.dumps(event)
    assert event["arguments_sha256"] == hashlib.sha256(b'{"path":"/etc/motd"}').hexdigest()


async def test_the_live_view_counts_calls_by_their_server_also_without_a_sink(bench) -> None:
    gateway = await bench.serve({"caller": CALLER, "permit": PERMIT})
    for tool in ("read", "failing", "broken", "write"):
        await call(gateway, tool)
    status, _, told = await ask(gateway, "GET", "/routeiq/v1/live")
    assert status == 200
    files = told["tools"]["files"]
    assert files["calls_per_second"] > 0
    assert (files["errors"], files["refused"]) == (2, 1)
    assert files["duration_ms"]["p50"] > 0


@pytest.mark.parametrize(("tool", "outcome", "status"), [("failing", "tool_error", 200), ("broken", "failed", 500)])
async def test_how_a_call_ended_is_told(bench, tool, outcome, status) -> None:
    gateway = await bench.serve({"caller": CALLER, "sink": SINK})
    assert (await call(gateway, tool))[0] == status
    (event,) = await events(bench, 1)
    assert event["outcome"] == outcome
    assert event["error_type"] == {"failing": "tool_error", "broken": "ValueError"}[tool]


async def test_an_event_names_its_place_in_the_callers_trace_and_what_it_cost(bench) -> None:
    gateway = await bench.serve({"caller": CALLER, "permit": PERMIT, "sink": SINK})
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}
    for tool in ("read", "write"):
        await ask(gateway, "POST", f"/tool/{tool}", json={}, headers=trace)
    read, write = await events(bench, 2)
    assert read["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert (read["parent_span_id"], read["sampled"]) == ("00f067aa0ba902b7", False)
    assert len(read["span_id"]) == 16
    assert read["span_id"] != write["span_id"]
    assert (read["action"], read["cost"], write["cost"]) == ("tool:call", 7, 0)
    assert 0 <= read["upstream_ms"] <= read["latency_ms"]
    assert write["upstream_ms"] is None


PERMIT = """
@hookimpl
async def permitted_tools(
    self, ctx: Context, protocol: str, server: str, tools: Any, aliases: Any, groups: Any
) -> Any:
    return [tool for tool in tools if tool != "write"]
"""


async def test_what_is_hidden_is_refused_by_the_same_answer(bench) -> None:
    gateway = await bench.serve({"caller": CALLER, "permit": PERMIT, "sink": SINK})
    assert (await ask(gateway, "GET", "/tools"))[2] == ["read"]
    status, body = await call(gateway, "write")
    assert (status, body["error"]["type"]) == (403, "tool_access_denied")
    (event,) = await events(bench, 1)
    assert (event["outcome"], event["error_type"]) == ("refused", "tool_access_denied")
    assert not [line for line in bench.journal if line.startswith("ran")]


async def test_a_plugin_that_fails_to_say_hides_and_refuses_everything(bench) -> None:
    broken = PERMIT.replace('return [tool for tool in tools if tool != "write"]', "raise OSError")
    gateway = await bench.serve({"caller": CALLER, "permit": broken})
    assert (await ask(gateway, "GET", "/tools"))[0] == 503
    assert (await call(gateway, "read"))[0] == 503
    assert not bench.journal


GUARD = """
@hookimpl
async def guard_tool_call(self, ctx: Context, call: Any) -> Any:
    if "forbidden" in call.arguments:
        return Reject(400, "not that", type="guardrail_violation")
    return Replace({**call.arguments, "seen": True}, "seen")

@hookimpl
async def guard_tool_result(self, ctx: Context, call: Any, result: Any) -> Any:
    if "secret" in call.arguments:
        return Reject(400, "withheld", type="guardrail_violation")
    text = result.content["content"][0]["text"]
    return Replace({"content": [{"type": "text", "text": text.upper()}]}, "upper")
"""


async def test_guards_change_arguments_and_results_and_withhold_them(bench) -> None:
    gateway = await bench.serve({"caller": CALLER, "guard": GUARD, "sink": SINK})
    status, body = await call(gateway, "read", path="x")
    assert (status, body["content"][0]["text"]) == (200, "TOLD {'PATH': 'X', 'SEEN': TRUE}")
    status, body = await call(gateway, "read", forbidden=1)
    assert (status, body["error"]["message"]) == (400, "not that")
    status, body = await call(gateway, "read", secret=1)
    assert (status, body["error"]["message"]) == (400, "withheld")
    told = await events(bench, 8)
    assert [event["outcome"] for event in told if "tool" in event] == ["ok", "refused", "failed"]
    guards = [(event["stage"], event["action"]) for event in told if "guard" in event]
    assert guards == [
        ("guard_tool_call", "replace"),
        ("guard_tool_result", "replace"),
        ("guard_tool_call", "reject"),
        ("guard_tool_call", "replace"),
        ("guard_tool_result", "reject"),
    ]


TALKER = """
@hookimpl
async def setup(self, gateway: Gateway) -> None:
    self.gateway = gateway

@hookimpl
def register_routes(self, routes: Any) -> None:
    routes.add("POST", "/tool/{name}", self.serve, access="key", summary="Call a tool", action="tool:call")

async def serve(self, request: Any) -> HttpResponse:
    from routeiq_sdk import RequestError
    from routeiq_sdk.values.tools import ToolCall, ToolResult

    body, ctx = request.json(), request.context

    async def run(call: ToolCall) -> ToolResult:
        note(f"ran {dict(call.answers)}")
        for said in body.get("tells", ()):
            try:
                passed = await self.gateway.tools.guard_result(ctx, call, ToolResult({"method": "m", "params": said}))
                note(f"told {passed.content['params']}")
            except RequestError as error:
                note(f"dropped {error.status}")
        return ToolResult({"content": []})

    call = ToolCall("mcp", "files", "act", {}, price=7, answers=body.get("answers", {}))
    await self.gateway.tools.call(ctx, call, run)
    return HttpResponse.json({})
"""

JUDGE = """
@hookimpl
async def guard_tool_call(self, ctx: Context, call: Any) -> Any:
    note(f"judged {dict(call.arguments)}")
    return Reject(400, "not that", type="guardrail_violation") if "bad" in str(call.arguments) else None

@hookimpl
async def guard_tool_result(self, ctx: Context, call: Any, result: Any) -> Any:
    if "bad" in str(result.content):
        return Reject(400, "withheld", type="guardrail_violation")
    if "failing" in str(result.content):
        raise OSError
"""


async def test_answers_of_a_caller_are_judged_before_the_server_is_asked_and_a_refusal_costs_nothing(bench) -> None:
    gateway = await bench.serve({"caller": TALKER, "guard": JUDGE, "sink": SINK})
    assert (await call(gateway, "act", answers={"q": {"content": "fine"}}))[0] == 200
    status, body = await call(gateway, "act", answers={"q": {"content": "bad"}})
    assert (status, body["error"]["message"]) == (400, "not that")
    told = await events(bench, 3)
    assert [(e["outcome"], e["cost"]) for e in told if "tool" in e] == [("ok", 7), ("refused", 0)]
    assert [(e["stage"], e["action"]) for e in told if "guard" in e] == [("guard_tool_call", "reject")]
    assert [line for line in bench.journal if not line.startswith("{")] == [
        "judged {}",
        "judged {'q': {'content': 'fine'}}",
        "ran {'q': {'content': 'fine'}}",
        "judged {}",
        "judged {'q': {'content': 'bad'}}",
    ]


async def test_what_is_refused_or_cannot_be_judged_beside_a_result_is_in_the_record_of_the_call(bench) -> None:
    gateway = await bench.serve({"caller": TALKER, "guard": JUDGE, "sink": SINK})
    tells = [{"message": word} for word in ("fine", "bad", "failing", "bad")]
    assert (await call(gateway, "act", tells=tells))[0] == 200
    told = await events(bench, 4)
    assert [event["outcome"] for event in told if "tool" in event] == ["ok"]
    assert [event["action"] for event in told if "guard" in event] == ["reject", "fail", "reject"]
    heard = [line for line in bench.journal if line.startswith(("told", "dropped"))]
    assert heard == ["told {'message': 'fine'}", "dropped 400", "dropped 503", "dropped 400"]


LEDGER = """
@hookimpl
async def reserve_tool_call(self, ctx: Context, call: Any, id: str) -> Any:
    note(f"reserve {call.price} {id[-7:]}")
    return Reject(429, "enough", retry_after=3) if "greedy" in call.arguments else None

@hookimpl
async def settle_tool_call(self, ctx: Context, call: Any, id: str, called: bool, outcome: str) -> None:
    note(f"settle {id[-7:]} {called} {outcome}")
"""


@pytest.mark.parametrize(
    ("tool", "arguments", "ended"),
    [
        ("read", {}, "True ok"),
        ("failing", {}, "True tool_error"),
        ("broken", {}, "True failed"),
        ("read", {"greedy": 1}, "False refused"),
    ],
)
async def test_what_is_reserved_is_settled_however_the_call_ends(bench, tool, arguments, ended) -> None:
    gateway = await bench.serve({"caller": CALLER, "ledger": LEDGER})
    status, headers, _ = await ask(gateway, "POST", f"/tool/{tool}", json=arguments)
    async with asyncio.timeout(20):
        while f"settle -tool-1 {ended}" not in bench.journal:
            await asyncio.sleep(0.01)
    assert "reserve 7 -tool-1" in bench.journal
    if "greedy" in arguments:
        assert (status, headers["retry-after"]) == (429, "3")


OPEN = """
@hookimpl
def register_routes(self, routes: Any) -> None:
    routes.add("GET", "/open", self.serve, access="loopback", summary="Anybody on this machine")

async def serve(self, request: Any) -> HttpResponse:
    return HttpResponse.json({"who": request.principal.id, "models": sorted(request.principal.models)})
"""


async def test_a_loopback_route_knows_anybody_who_may_use_no_model(bench) -> None:
    gateway = await bench.serve({"open": OPEN})
    status, _, body = await ask(gateway, "GET", "/open", key="")
    assert (status, body) == (200, {"who": "loopback", "models": []})


async def test_a_loopback_route_beyond_loopback_stops_the_start(bench) -> None:
    with pytest.raises(Exception, match=r"/open is open to anybody.*routeiq.server.host: 127.0.0.1"):
        await bench.serve({"open": OPEN}, routeiq={"server": {"host": "0.0.0.0"}})


STREAM = """
@hookimpl
def register_routes(self, routes: Any) -> None:
    routes.add("GET", "/long", self.serve, access="key", summary="A stream that waits", action="tool:list")

async def serve(self, request: Any) -> HttpResponse:
    async def blocks() -> Any:
        try:
            note("begun")
            yield b"data: 1\\n\\n"
            await asyncio.Event().wait()
        finally:
            note("closed")

    return HttpResponse(200, blocks(), media_type="text/event-stream", long_lived=True)
"""


async def test_a_long_stream_takes_no_place_and_is_closed_when_the_client_goes(bench) -> None:
    gateway = await bench.serve({"stream": STREAM})
    async with gateway.session.get("/long") as response:
        assert response.status == 200
        async with asyncio.timeout(20):
            while "begun" not in bench.journal:
                await asyncio.sleep(0.01)
            assert gateway.runtime.shared.in_flight.now == 0
    async with asyncio.timeout(20):
        while "closed" not in bench.journal:
            await asyncio.sleep(0.01)
    assert gateway.runtime.shared.in_flight.now == 0


CHALLENGE = """
@hookimpl
def register_routes(self, routes: Any) -> None:
    routes.add("GET", "/guarded", self.serve, access="key", summary="A resource", action="tool:list")

async def serve(self, request: Any) -> HttpResponse:
    return HttpResponse.json({})

@hookimpl
def challenge(self, ctx: Context, error: RequestError) -> Any:
    return {"www-authenticate": f'Bearer error="{error.status}"'} if ctx.path == "/guarded" else None
"""


async def test_a_refused_caller_is_told_how_to_come_in(bench) -> None:
    gateway = await bench.serve({"challenge": CHALLENGE})
    status, headers, _ = await ask(gateway, "GET", "/guarded", key="sk-wrong")
    assert (status, headers["www-authenticate"]) == (401, 'Bearer error="401"')
    assert "www-authenticate" not in (await ask(gateway, "GET", "/guarded"))[1]


ADAPTER = """
@hookimpl
def register_adapters(self, adapters: Any) -> None:
    adapters.add_adapter("agents", self)

async def complete(self, ctx: Context, deployment: Deployment, body: Any) -> Any:
    note(f"{ctx.principal.kind} asks {deployment.model}: {body['messages'][-1]['content']}")
    if deployment.model == "away":
        raise RequestError(503, "the agent is away")
    head = {"id": "a1", "created": 1, "model": "x"}
    if not body.get("stream"):
        message = {"role": "assistant", "content": "I am an agent"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {**head, "object": "chat.completion", "choices": [choice]}
    return self.chunks(head)

async def chunks(self, head: Any) -> Any:
    said = {"role": "assistant", "content": "I am"}
    for delta, reason in ((said, None), ({"content": " an agent"}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield {**head, "object": "chat.completion.chunk", "choices": [choice]}
"""


def agents(up: Any, **models: str) -> list[dict[str, Any]]:
    rows = [{"model_name": name, "litellm_params": {"model": f"agents/{model}"}} for name, model in models.items()]
    return [*rows, openai_row("fast", up.base_url), openai_row("strong", up.base_url)]


async def test_a_plugins_provider_answers_whole_streamed_and_for_anthropic_clients(bench) -> None:
    gateway = await bench.serve({"adapter": ADAPTER}, model_list=agents(bench.up, helper="one"))
    _, _, body = await gateway.chat("helper", "who?")
    assert body["choices"][0]["message"]["content"] == "I am an agent"
    assert bench.journal == ["admin asks one: who?"]
    assert b"I am" in (await gateway.stream("helper", "who?"))[2]
    asked = {"model": "helper", "max_tokens": 50, "messages": [{"role": "user", "content": "who?"}]}
    _, _, body = await ask(gateway, "POST", "/v1/messages", json=asked)
    assert body["content"] == [{"type": "text", "text": "I am an agent"}]


async def test_a_plugins_provider_that_is_away_falls_back(bench) -> None:
    gateway = await bench.serve(
        {"adapter": ADAPTER},
        model_list=agents(bench.up, helper="away", other="one"),
        router_settings={"fallbacks": [{"helper": ["other"]}], "num_retries": 0},
    )
    _, _, body = await gateway.chat("helper", "who?")
    assert body["choices"][0]["message"]["content"] == "I am an agent"

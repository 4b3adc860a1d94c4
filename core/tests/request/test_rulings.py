"""What a record says of a request's way: what plugins objected, where it ended, where it stands in its trace."""

from __future__ import annotations

from textwrap import indent
from typing import Any

import pytest

from routeiq_sdk import Record
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

PRELUDE = """
from __future__ import annotations
from typing import Any
from routeiq_sdk import *

class Silence:
    def feed(self, delta: str) -> Any:
        return Stop("no more", "enough")

    def end(self) -> Any:
        return []

class Fixture(Plugin[PluginConfig]):
"""
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def method(signature: str, *lines: str, kind: str = "async def") -> str:
    return "\n".join(("@hookimpl", f"{kind} {signature}:", *(f"    {line}" for line in lines)))


REFUSALS: dict[str, tuple[str, str, tuple[str, int, str]]] = {
    "admit": (
        "admit",
        method("admit(self, ctx: Context) -> Any", "return Reject(429, 'x', 'busy')"),
        ("reject", 429, "busy"),
    ),
    "authenticate": (
        "authenticate",
        method("authenticate(self, ctx: Context) -> Any", "return Reject(401, 'x', 'auth')"),
        ("reject", 401, "auth"),
    ),
    "authorize_action": (
        "permit",
        method("authorize_action(self, ctx: Context, action: str) -> Any", "return Reject(403, 'x', 'action')"),
        ("reject", 403, "action"),
    ),
    "authorize": (
        "authorize",
        method("authorize(self, ctx: Context) -> Any", "return Reject(403, 'x', 'model')"),
        ("reject", 403, "model"),
    ),
    "guard_request": (
        "guard",
        method("guard_request(self, ctx: Context) -> Any", "return Reject(400, 'x', 'words')"),
        ("reject", 400, "words"),
    ),
    "reserve": (
        "reserve",
        method("reserve(self, ctx: Context, ranked: Any) -> Any", "return Reject(429, 'x', 'budget')"),
        ("reject", 429, "budget"),
    ),
}


class Served:
    def __init__(self, start: StartGateway, folder: PluginFolder, upstream: ScriptedUpstream) -> None:
        self._start = start
        self._folder = folder
        self.upstream = upstream
        self.running: TestGateway

    async def with_plugin(self, body: str, name: str = "warden") -> TestGateway:
        self._folder.install(name, PRELUDE + indent(body, "    "))
        rows = [openai_row("m", self.upstream.base_url)]
        settings = {"num_retries": 0}
        plugins = {"plugins": {name: {}}}
        self.running = await self._start({"model_list": rows, "router_settings": settings, "routeiq": plugins})
        return self.running

    async def record(self) -> Record:
        (record,) = await self.running.recorded()
        return record


@pytest.fixture
def served(gateway: StartGateway, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream) -> Served:
    return Served(gateway, plugin_folder, scripted_upstream)


def said(record: Record) -> list[tuple[str, str, str, int, str]]:
    return [(each.hook, each.plugin, each.action, each.status, each.reason) for each in record.rulings]


@pytest.mark.parametrize("hook", REFUSALS)
async def test_a_refusal_is_told_with_its_gate_and_its_plugin(served: Served, hook: str) -> None:
    stage, body, (action, status, reason) = REFUSALS[hook]
    running = await served.with_plugin(body)
    assert (await running.chat("m"))[0] == status
    record = await served.record()
    assert record.stage == stage
    assert said(record) == [(hook, "warden", action, status, reason)]
    assert (record.attempts, record.error_type) == ((), reason)


async def test_a_plugin_that_fails_is_told_too(served: Served) -> None:
    running = await served.with_plugin(
        method("guard_request(self, ctx: Context) -> Any", "raise KeyError('the prompt')")
    )
    assert (await running.chat("m"))[0] == 503
    record = await served.record()
    assert record.stage == "guard"
    assert said(record) == [("guard_request", "warden", "fail", 0, "KeyError")]


async def test_what_was_replaced_is_told_of_a_request_that_went_on(served: Served) -> None:
    changed = "return Replace({**ctx.request.json(), 'user': 'x'})"
    running = await served.with_plugin(
        method("guard_request(self, ctx: Context) -> Any", changed)
        + "\n"
        + method("guard_response(self, ctx: Context, response: Any) -> Any", "return Replace({**response})")
    )
    assert (await running.chat("m"))[0] == 200
    record = await served.record()
    assert record.stage is None
    assert said(record) == [
        ("guard_request", "warden", "replace", 0, ""),
        ("guard_response", "warden", "replace", 0, ""),
    ]


async def test_an_answer_that_was_refused_is_no_stage_of_ours_since_the_provider_was_called(served: Served) -> None:
    running = await served.with_plugin(
        method("guard_response(self, ctx: Context, response: Any) -> Any", "return Reject(400, 'x', 'words')")
    )
    assert (await running.chat("m"))[0] == 400
    record = await served.record()
    assert record.stage is None
    assert said(record) == [("guard_response", "warden", "reject", 400, "words")]
    assert record.attempts[0].dispatched


async def test_a_stream_that_was_stopped_is_told(served: Served) -> None:
    served.upstream.default = Reply.stream("hello there")
    running = await served.with_plugin(
        method("stream_filter(self, ctx: Context) -> Any", "return Silence()", kind="def")
    )
    await running.stream("m")
    record = await served.record()
    assert said(record) == [("stream_filter", "warden", "stop", 0, "enough")]
    assert record.stage is None


@pytest.mark.parametrize(
    ("model", "upstream", "stage"), [("other", Reply.chat("yes"), "route"), ("m", Reply.error(500), None)]
)
async def test_a_stage_is_told_when_the_gateway_refused_and_not_when_the_provider_failed(
    served: Served, model: str, upstream: Any, stage: str | None
) -> None:
    served.upstream.default = upstream
    running = await served.with_plugin(method("admit(self, ctx: Context) -> Any", "return None"))
    assert (await running.chat(model))[0] >= 400
    record = await served.record()
    assert (record.stage, record.rulings) == (stage, ())


async def test_a_request_that_found_no_place_ends_at_the_door(served: Served) -> None:
    running = await served.with_plugin(method("admit(self, ctx: Context) -> Any", "return None"))
    running.runtime.shared.in_flight.most = 0
    assert (await running.chat("m"))[0] in (429, 503)
    assert (await served.record()).stage == "door"


async def test_a_callers_trace_goes_on_and_nested_calls_are_below(served: Served) -> None:
    nested = (
        "asked = {'model': 'm', 'messages': [{'role': 'user', 'content': 'nested'}]}",
        "if ctx.request.text() != 'nested': await self.gateway.call(ctx, asked)",
        "return None",
    )
    running = await served.with_plugin(
        method("setup(self, gateway: Gateway) -> None", "self.gateway = gateway")
        + "\n"
        + method("guard_request(self, ctx: Context) -> Any", *nested)
    )
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    async with running.session.post("/v1/chat/completions", json=body, headers=headers) as answer:
        assert answer.status == 200
    outer, inner = await running.recorded(2)
    assert outer.trace is not None
    assert inner.trace is not None
    assert (outer.trace.trace_id, outer.trace.parent_span_id, outer.trace.sampled) == (TRACE, PARENT, True)
    assert (inner.trace.trace_id, inner.trace.parent_span_id) == (TRACE, outer.trace.span_id)
    assert inner.trace.state == "vendor=1"
    assert outer.routing_ms is not None
    assert outer.routing_ms >= 0


async def test_a_request_without_a_trace_begins_one(served: Served) -> None:
    running = await served.with_plugin(method("admit(self, ctx: Context) -> Any", "return None"))
    await running.chat("m")
    await running.chat("m")
    first, second = await running.recorded(2)
    assert first.trace is not None
    assert second.trace is not None
    assert first.trace.parent_span_id is None
    assert first.trace.trace_id != second.trace.trace_id

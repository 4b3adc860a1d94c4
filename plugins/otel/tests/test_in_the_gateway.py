"""The plugin in a whole gateway: what a receiver is told of streams, fallbacks, errors, guards and changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from routeiq_sdk.events import RouterDecisionV1
from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .collector import HttpCollector, number, payload_of, point, points, told, value_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1"}
PRICES = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.002}
GUARD = """
from routeiq_sdk import *

class Fixture(Plugin[PluginConfig]):
    needs = frozenset({Need.READS_BODY})

    @hookimpl
    async def guard_request(self, ctx):
        return Reject(400, "no", type="policy") if "forbidden" in ctx.request.text() else None

    @hookimpl
    async def reserve(self, ctx, ranked):
        return Reject(429, "spent", type="budget_exceeded") if "dear" in ctx.request.text() else None
"""


def config(upstream: ScriptedUpstream, otel: Mapping[str, Any], **plugins: Any) -> dict[str, Any]:
    return {
        "model_list": [
            {**openai_row("fast", upstream.base_url, "good", **PRICES), "model_info": {"id": "fast-1"}},
            {**openai_row("broken", upstream.base_url, "bad", **PRICES), "model_info": {"id": "broken-1"}},
        ],
        "router_settings": {"num_retries": 0, "fallbacks": [{"broken": ["fast"]}]},
        "routeiq": {
            "virtual_models": {"auto": {"models": ["fast", "broken"]}},
            "plugins": {"otel": {"linger_seconds": 0.01, **otel}, **plugins},
        },
    }


async def ask(running: TestGateway, model: str, text: str = "hello", **fields: Any) -> int:
    """One chat below a caller's span."""
    headers = fields.pop("headers", PARENT)
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    async with running.session.post("/v1/chat/completions", json=body, headers=headers) as response:
        await response.read()
        return response.status


async def trace_of(collector: HttpCollector, count: int = 1) -> tuple[Span, list[Span]]:
    """The newest request's span and those of its attempts."""
    await collector.until(lambda: len(collector.servers()) >= count)
    server = collector.servers()[count - 1]
    return server, collector.children(server)


async def test_a_stream_is_a_tree_below_the_callers_span(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    running = await gateway(config(scripted_upstream, {"endpoint": otlp_collector.url}))
    scripted_upstream.script(Reply.stream(["a", "b", "c"], usage=Usage(100, 10, cached_tokens=40)))
    assert await ask(running, "auto", stream=True, max_tokens=50, temperature=0.5, stop=["x"]) == 200
    server, (child,) = await trace_of(otlp_collector)
    (record,) = running.records()
    assert record.trace is not None
    assert (server.trace_id.hex(), server.parent_span_id.hex()) == (TRACE, CALLER)
    assert server.span_id.hex() == record.trace.span_id
    assert (server.trace_state, child.trace_state) == ("vendor=1", "vendor=1")
    assert server.start_time_unix_nano <= child.start_time_unix_nano
    assert child.end_time_unix_nano <= server.end_time_unix_nano + 1_000_000
    asked = told(child.attributes)
    assert asked["gen_ai.request.max_tokens"] == 50
    assert asked["gen_ai.request.temperature"] == 0.5
    assert asked["gen_ai.request.stop_sequences"] == ["x"]
    assert (asked["gen_ai.usage.input_tokens"], asked["gen_ai.usage.cache_read.input_tokens"]) == (100, 40)
    assert asked["server.address"] == "127.0.0.1"
    assert f":{asked['server.port']}/" in scripted_upstream.base_url + "/"
    assert asked["gen_ai.response.time_to_first_chunk"] > 0
    answered = told(server.attributes)
    assert answered["routeiq.request_id"] == record.request_id
    assert answered["gen_ai.response.finish_reasons"] == ["stop"]
    assert answered["routeiq.cost_usd"] == pytest.approx(0.12)
    decision = payload_of(server)
    RouterDecisionV1.read(json.dumps(decision))
    assert decision["trace_id"] == TRACE
    assert decision["selected_deployment"] == "fast"


async def test_a_fallback_is_two_attempts_of_one_request(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    running = await gateway(config(scripted_upstream, {"endpoint": otlp_collector.url}))
    scripted_upstream.default_for("bad", Reply.error(500))
    assert await ask(running, "broken") == 200
    server, (first, second) = await trace_of(otlp_collector)
    assert (first.name, second.name) == ("chat bad", "chat good")
    assert (first.status.code, second.status.code) == (Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET)
    assert first.end_time_unix_nano <= second.start_time_unix_nano + 1_000_000
    assert told(server.attributes)["router.fallback_triggered"] is True
    assert payload_of(server)["fallback"]["original_model"] == "broken"


async def test_an_error_and_the_objections_of_plugins(
    gateway: StartGateway,
    scripted_upstream: ScriptedUpstream,
    otlp_collector: HttpCollector,
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install("objects", GUARD)
    running = await gateway(config(scripted_upstream, {"endpoint": otlp_collector.url}, objects={}))
    scripted_upstream.default = Reply.error(500)
    assert await ask(running, "fast") >= 500
    failed, (attempt,) = await trace_of(otlp_collector)
    assert (failed.status.code, attempt.status.code) == (Status.STATUS_CODE_ERROR, Status.STATUS_CODE_ERROR)
    assert await ask(running, "fast", "forbidden") == 400
    guarded, none = await trace_of(otlp_collector, 2)
    assert none == []
    (event,) = guarded.events
    assert event.name == "routeiq.guard.v1"
    assert told(event.attributes)["routeiq.plugin"] == "objects"
    assert await ask(running, "fast", "dear") == 429
    refused, _ = await trace_of(otlp_collector, 3)
    assert [event.name for event in refused.events if event.name != "routeiq.router_decision.v1"] == [
        "routeiq.admission.v1"
    ]
    await running.app.stop()
    metrics = otlp_collector.metrics
    assert number(point(metrics["gateway.guardrail.check"], routeiq__plugin="objects")) == 3
    assert number(point(metrics["gateway.guardrail.objection"], routeiq__plugin="objects")) == 1
    denied = point(metrics["gateway.governance.enforcement.denial"], routeiq__stage="reserve")
    assert told(denied.attributes)["routeiq.plugin"] == "objects"
    assert sum(number(each) for each in points(metrics["gateway.request.total"])) == 3
    assert sum(number(each) for each in points(metrics["gateway.request.error"])) == 3


async def test_providers_are_told_of_the_attempts_own_span_when_asked_to(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    running = await gateway(config(scripted_upstream, {"endpoint": otlp_collector.url, "propagate": True}))
    scripted_upstream.default_for("bad", Reply.error(500))
    assert await ask(running, "broken") == 200
    _, attempts = await trace_of(otlp_collector)
    parents = [request.headers["traceparent"] for request in scripted_upstream.requests]
    assert parents == [f"00-{TRACE}-{attempt.span_id.hex()}-01" for attempt in attempts]
    assert {request.headers["tracestate"] for request in scripted_upstream.requests} == {"vendor=1"}


async def test_a_trace_that_is_not_sampled_is_passed_on_as_such(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    written = config(scripted_upstream, {"endpoint": otlp_collector.url})
    written["litellm_settings"] = {"forward_traceparent_to_llm_provider": True}
    running = await gateway(written)
    unsampled = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
    assert await ask(running, "fast", headers=unsampled) == 200
    assert scripted_upstream.requests[0].headers["traceparent"].endswith("-00")
    await running.app.stop()
    assert otlp_collector.spans == []
    assert "gateway.request.total" in otlp_collector.metrics


async def test_without_the_wish_providers_are_told_nothing(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    running = await gateway(config(scripted_upstream, {"endpoint": otlp_collector.url}))
    assert await ask(running, "fast") == 200
    assert "traceparent" not in scripted_upstream.requests[0].headers


async def test_the_tail_keeps_failures_that_the_head_left_out(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    otel = {"endpoint": otlp_collector.url, "sample": 0.0, "tail": {"errors": True}, "metrics": False}
    running = await gateway(config(scripted_upstream, otel))
    assert await ask(running, "fast", headers={}) == 200
    scripted_upstream.default_for("bad", Reply.error(500))
    assert await ask(running, "broken", headers={}) == 200
    await running.app.stop()
    (server,) = otlp_collector.servers()
    assert told(server.attributes)["gen_ai.request.model"] == "broken"


async def test_requests_refusals_and_changes_are_logged(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    running = await gateway(config(scripted_upstream, {"endpoint": otlp_collector.url, "logs": True}))
    assert await ask(running, "fast") == 200
    assert await ask(running, "fast", headers={"authorization": "Bearer sk-wrong-0a1b2c3d4e5f6a7b"}) == 401
    async with running.session.post("/routeiq/v1/reload") as response:
        assert response.status == 200
    wanted = ["routeiq.admin.v1", "routeiq.admin.v1", "routeiq.admission.v1", "routeiq.request"]
    await otlp_collector.until(lambda: len(otlp_collector.logs) >= len(wanted))
    logs = {log.event_name: log for log in otlp_collector.logs}
    assert sorted(log.event_name for log in otlp_collector.logs) == wanted
    assert logs["routeiq.request"].trace_id.hex() == TRACE
    assert json.loads(value_of(logs["routeiq.admission.v1"].body))["status"] == 401
    assert json.loads(value_of(logs["routeiq.admin.v1"].body))["principal"] != "master"


async def test_prompts_and_answers_are_exported_only_when_asked_for(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    otel: dict[str, Any] = {"endpoint": otlp_collector.url, "metrics": False, "messages": {"mode": "masked"}}
    running = await gateway(config(scripted_upstream, otel))
    scripted_upstream.script(Reply.chat("plain answer"), Reply.stream(["streamed ", "answer"]))
    assert await ask(running, "fast", "write to me@example.com") == 200
    assert await ask(running, "fast", "second question", stream=True) == 200
    await otlp_collector.until(lambda: len(otlp_collector.servers()) == 2)
    first, second = (told(server.attributes) for server in otlp_collector.servers())
    assert json.loads(first["gen_ai.input.messages"])[0]["parts"][0]["content"] == "write to [masked]"
    assert json.loads(first["gen_ai.output.messages"])[0]["parts"][0]["content"] == "plain answer"
    assert json.loads(second["gen_ai.output.messages"])[0]["parts"][0]["content"] == "streamed answer"
    written = config(scripted_upstream, otel)
    written["litellm_settings"] = {"turn_off_message_logging": True}
    running.write(written)
    await running.app.reload()
    assert await ask(running, "fast", "third question") == 200
    await otlp_collector.until(lambda: len(otlp_collector.servers()) == 3)
    assert b"third question" not in otlp_collector.everything()


async def test_nothing_secret_and_nobody_is_in_what_is_exported(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    secrets = [
        "sk-seeded-1f2e3d4c5b6a7988",
        "sk-other-aa11bb22cc33dd44",
        "tell nobody",
        "alice@example.com",
        "sk-upstream",
    ]
    running = await gateway(
        config(scripted_upstream, {"endpoint": otlp_collector.url, "logs": True, "propagate": True})
    )
    key, other, prompt, user, _ = secrets
    scripted_upstream.script(
        Reply.chat(prompt),
        Reply.error(401, message=f"Incorrect API key provided: {other}."),
        Reply.error(400, message=key),
    )
    headers = {**PARENT, "x-secret": other, "cookie": f"session={other}"}
    for _ in range(3):
        await ask(running, "fast", f"{prompt} {key}", user=user, headers=headers, metadata={"k": other})
    assert await ask(running, "fast", headers={"authorization": f"Bearer {other}"}) == 401
    await running.recorded(4)
    await running.app.stop()
    sent = otlp_collector.everything()
    assert len(otlp_collector.servers()) == 4
    for secret in (key, other, prompt, user, "sk-upstream", running.key):
        assert secret.encode() not in sent, secret
    assert hashlib.sha256(user.encode()).hexdigest()[:16].encode() in sent


async def test_litellms_callback_and_the_standard_variable_switch_it_on(
    gateway: StartGateway,
    scripted_upstream: ScriptedUpstream,
    otlp_collector: HttpCollector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-the-environment")
    written = config(scripted_upstream, {})
    written["litellm_settings"] = {"callbacks": ["otel"], "success_callback": ["otel"]}
    written["general_settings"] = {"otel": True}
    running = await gateway(written)
    assert await ask(running, "fast") == 200
    await trace_of(otlp_collector)
    resource = told(otlp_collector.exports[0].message.resource_spans[0].resource.attributes)
    assert resource["service.name"] == "from-the-environment"


async def test_an_idle_plugin_sends_nothing(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    running = await gateway(config(scripted_upstream, {}))
    assert await ask(running, "fast") == 200
    (member,) = running.runtime.plugins.members
    assert {call.hook for call in member.calls} == {"setup", "teardown"}

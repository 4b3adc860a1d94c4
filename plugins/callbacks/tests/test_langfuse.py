"""Langfuse gets a trace and a generation a request, in the form that its version takes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from routeiq_callbacks.config import LangfuseTarget
from routeiq_callbacks.targets.base import NotTaken
from routeiq_callbacks.targets.generation import Generation
from routeiq_callbacks.targets.langfuse import Langfuse
from routeiq_callbacks.targets.langfuse_events import events
from routeiq_callbacks.targets.langfuse_spans import span
from routeiq_sdk import Principal, Secret, TraceContext
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.testing.services import FakeAnswer
from routeiq_sdk.values.models import Usage
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder, Sent
from .requests import finished

KEYS = {"public_key": "pk-lf-1", "secret_key": "sk-lf-2"}


def langfuse(recorder: Recorder, **more: Any) -> dict[str, Any]:
    return {"kind": "langfuse", "host": recorder.url, **KEYS, **more}


def config(**fields: Any) -> LangfuseTarget:
    return LangfuseTarget(public_key=Secret("pk"), secret_key=Secret("sk"), **fields)


def generation(told: Any, **fields: Any) -> Generation:
    return Generation(told, config(**fields), texts=True)


def version_4(sent: Sent) -> tuple[int, bytes]:
    """A server that refuses all events but scores, each on its own, and takes spans."""
    if sent.path.endswith("/otel/v1/traces"):
        return 200, b"{}"
    errors = [{"id": event["id"], "status": 400, "message": "sunset"} for event in sent.json()["batch"]]
    return 207, json.dumps({"successes": [], "errors": errors}).encode()


async def test_a_trace_and_a_generation(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    recorder.answer, recorder.status = b'{"successes": [], "errors": []}', 207
    running = await gateway(telling(langfuse(recorder, tags=["prod"], environment="live")))
    metadata = {"session_id": "s-1", "trace_name": "support", "trace_user_id": "ada"}
    _, headers, _ = await running.chat("m", "my plan", metadata=metadata, temperature=0.5)
    (sent,) = await recorder.until(1)
    assert (sent.method, sent.path) == ("POST", "/api/public/ingestion")
    assert sent.headers["authorization"] == "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-2").decode()
    trace, made = sent.json()["batch"]
    assert (trace["type"], made["type"]) == ("trace-create", "generation-create")
    assert (trace["body"]["tags"], trace["body"]["environment"]) == (["prod"], "live")
    assert [trace["body"][name] for name in ("name", "sessionId", "userId")] == ["support", "s-1", "ada"]
    body = made["body"]
    assert body["traceId"] == trace["body"]["id"]
    assert body["id"] == headers["x-routeiq-request-id"]
    assert body["modelParameters"]["temperature"] == 0.5
    assert body["usageDetails"]["input"] > 0
    assert body["costDetails"]["total"] == pytest.approx(body["usageDetails"]["input"] * 1e-06)
    assert body["level"] == "DEFAULT"
    assert not {"input", "output"} & {*body, *trace["body"]}


async def test_a_failure_is_an_error(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.default = Reply.error(500, "it broke")
    running = await gateway(telling(langfuse(recorder)))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    made = sent.json()["batch"][1]["body"]
    assert made["level"] == "ERROR"
    assert "InternalServerError" in made["statusMessage"]


async def test_version_4_gets_spans_after_it_refused_events(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream
) -> None:
    recorder.answer = version_4
    running = await gateway(telling(langfuse(recorder, tags=["prod"]), messages={"mode": "full"}))
    scripted_upstream.script(Reply.chat("the answer"))
    await running.chat("m", "my plan", metadata={"session_id": "s-1"})
    sent = await recorder.until(2)
    assert [one.path for one in sent] == ["/api/public/ingestion", "/api/public/otel/v1/traces"]
    assert sent[1].headers["x-langfuse-ingestion-version"] == "4"
    (resource,) = sent[1].json()["resourceSpans"]
    (made,) = resource["scopeSpans"][0]["spans"]
    values = {each["key"]: each["value"].get("stringValue") for each in made["attributes"]}
    assert (values["langfuse.observation.type"], values["session.id"]) == ("generation", "s-1")
    assert json.loads(values["langfuse.observation.input"])[0]["content"] == "my plan"
    assert json.loads(values["langfuse.observation.output"])["content"] == "the answer"
    assert json.loads(values["langfuse.observation.usage_details"])["input"] > 0
    assert int(made["endTimeUnixNano"]) > int(made["startTimeUnixNano"])
    await running.chat("m")
    assert (await recorder.until(3))[-1].path == "/api/public/otel/v1/traces"


@pytest.mark.parametrize(
    ("status", "answer", "refused"),
    [
        (207, {"errors": []}, 0),
        (207, {"errors": [{"id": "req-1-trace", "status": 400}, {"id": "req-1-generation", "status": 400}]}, 1),
        (200, "no JSON", 0),
    ],
)
async def test_what_is_refused_for_good_is_counted(status: int, answer: Any, refused: int) -> None:
    gateway = FakeGateway()
    body = answer if isinstance(answer, str) else json.dumps(answer)
    gateway.egress.answer(FakeAnswer(status, body.encode()))
    target = Langfuse(config(host="https://lf.example.com", api="ingestion"))
    batch = [finished(request_id=f"req-{number}") for number in (1, 2)]
    assert await target.deliver(gateway, batch) == refused


async def test_what_is_refused_for_now_is_tried_again() -> None:
    gateway = FakeGateway()
    gateway.egress.answer(FakeAnswer(207, b'{"errors": [{"id": "r-trace", "status": 500}]}'))
    with pytest.raises(NotTaken, match=r"lf\.example\.com did not take"):
        await Langfuse(config(host="https://lf.example.com")).deliver(gateway, [finished()])


async def test_a_batch_that_is_large_goes_in_several_posts() -> None:
    gateway = FakeGateway()
    batch = [finished(make_context("x" * 90_000), mode="full", request_id=f"req-{number}") for number in range(30)]
    assert await Langfuse(config(host="https://lf.example.com")).deliver(gateway, batch) == 0
    assert len(gateway.egress.calls) > 1
    assert all(len(call.body or b"") < 3_500_000 for call in gateway.egress.calls)


async def test_a_server_without_the_ingestion_api_gets_spans() -> None:
    gateway = FakeGateway()
    gateway.egress.answer(FakeAnswer(404), FakeAnswer(200, b"{}"))
    assert await Langfuse(config(host="https://lf.example.com")).deliver(gateway, [finished()]) == 0
    assert [call.url.rpartition("/public/")[2] for call in gateway.egress.calls] == ["ingestion", "otel/v1/traces"]


def test_ids_follow_from_the_request_so_that_it_is_there_once() -> None:
    first, second = (list(events(generation(finished(request_id="req-7")))) for _ in range(2))
    assert [event["id"] for event in first] == [event["id"] for event in second] == ["req-7-trace", "req-7-generation"]
    spans = [span(generation(finished(request_id="req-7"))) for _ in range(2)]
    assert spans[0]["spanId"] == spans[1]["spanId"]
    assert spans[0]["traceId"] == spans[1]["traceId"]


def test_a_trace_that_the_client_began_is_kept() -> None:
    trace = TraceContext.begin("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert span(generation(finished(trace=trace)))["traceId"] == trace.trace_id


@pytest.mark.parametrize(
    "ctx",
    [
        make_context(metadata={"existing_trace_id": "t-9", "trace_name": "mine"}),
        make_context(headers={"langfuse_existing_trace_id": "t-9", "langfuse_trace_name": "mine"}),
    ],
)
def test_an_existing_trace_is_only_added_to(ctx: Any) -> None:
    told = generation(finished(ctx))
    (made,) = events(told)
    assert (made["type"], made["body"]["traceId"]) == ("generation-create", "t-9")
    assert "langfuse.trace.name" not in {each["key"] for each in span(told)["attributes"]}


def test_tokens_are_counted_once() -> None:
    told = generation(finished(usage=Usage(100, 50, cached_tokens=60, reasoning_tokens=20)))
    assert told.usage == {
        "input": 40,
        "output": 30,
        "total": 150,
        "input_cached_tokens": 60,
        "output_reasoning_tokens": 20,
    }


def test_facts_become_tags() -> None:
    ctx = make_context(principal=Principal("k", attributes={"team_alias": "red"}))
    told = finished(ctx, key_alias="my-key", tags=("a",))
    names = ("user_api_key_alias", "user_api_key_team_alias", "cache_hit", "nobody")
    assert generation(told, tags=("prod",), default_tags=names).tags == [
        "prod",
        "a",
        "user_api_key_alias:my-key",
        "user_api_key_team_alias:red",
        "cache_hit:False",
    ]


def test_callers_that_are_redacted_are_in_no_tag_and_no_user() -> None:
    told = finished(redact_callers=True, key_alias="my-key", user="ada")
    made = generation(told, default_tags=("user_api_key_alias",))
    assert (made.tags, made.user) == ([], None)


def test_fields_that_are_left_out_break_nothing() -> None:
    everything = frozenset(finished().payload)
    trace, made = events(generation(finished(excluded=everything)))
    assert made["body"]["startTime"].startswith("2023-")
    assert trace["body"]["metadata"] == {"litellm_call_id": "req-test"}

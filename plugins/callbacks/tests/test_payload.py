"""Payloads have LiteLLM's field names, and nothing in them that a log should not hold."""

from __future__ import annotations

import ast
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from routeiq_callbacks.payload import spelled, without_keys
from routeiq_sdk import Principal
from routeiq_sdk.testing import make_context
from routeiq_sdk.values.attempts import Outcome
from routeiq_sdk.values.verdict import Ruling
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import KEY
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder
from .requests import finished

_RELIED_ON = {
    *("id", "trace_id", "session_id", "call_type", "stream", "status", "custom_llm_provider", "response_cost", "model"),
    *("total_tokens", "prompt_tokens", "completion_tokens", "startTime", "endTime", "completionStartTime"),
    *("response_time", "model_id", "model_group", "api_base", "metadata", "cache_hit", "request_tags", "end_user"),
    *("requester_ip_address", "user_agent", "messages", "response", "error_str", "error_information"),
    *("model_parameters", "hidden_params", "guardrail_information"),
}


def fields(name: str) -> set[str]:
    """The fields of one of LiteLLM's types, read without importing LiteLLM."""
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse((Path(spec.origin).parent / "types" / "utils.py").read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found: set[str] = set()
    for base in classes[name].bases:
        if isinstance(base, ast.Name) and base.id in classes:
            found |= fields(base.id)
    return found | {
        line.target.id
        for line in classes[name].body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }


def test_the_fields_are_litellms() -> None:
    payload = finished(status=500, error="e", error_type="E").payload
    assert set(payload) >= _RELIED_ON
    ours = {"status_code", "cost_of_all_attempts", "routeiq"}
    assert set(payload) - fields("StandardLoggingPayload") == ours
    assert set(payload["hidden_params"]) <= fields("StandardLoggingHiddenParams")
    assert set(payload["metadata"]) <= fields("StandardLoggingMetadata")
    assert set(payload["error_information"]) <= fields("StandardLoggingPayloadErrorInformation")


def test_a_failure_says_why() -> None:
    ctx = make_context()
    attempt = Outcome(1, "small-1", "openai", "small", "error", 429, 10.0, response_id="r")
    payload = finished(
        ctx, status=429, error="slow down", error_type="RateLimitError", attempts=(attempt,), cost=None
    ).payload
    assert (payload["status"], payload["error_str"], payload["id"]) == ("failure", "slow down", "req-test")
    assert payload["error_information"]["error_class"] == "RateLimitError"
    assert (payload["response_cost"], payload["status_fields"]["llm_api_status"]) == (None, "failure")


def test_costs_and_times_are_in_litellms_units() -> None:
    attempt = Outcome(1, "small-1", "openai", "small", "ok", 200, 200.0, first_byte_ms=95.0, started_ms=5.0)
    payload = finished(attempts=(attempt,)).payload
    assert payload["response_cost"] == pytest.approx(14_800e-9)
    start = payload["startTime"]
    assert payload["completionStartTime"] - start == pytest.approx(0.1, abs=1e-6)
    assert payload["endTime"] - start == pytest.approx(0.21, abs=1e-6)


def test_objections_of_guards_are_told() -> None:
    payload = finished(rulings=(Ruling("guard_request", "guard-pii", "reject", 400, "pii"),), status=400).payload
    assert payload["guardrail_information"] == [
        {"guardrail_name": "guard-pii", "guardrail_mode": "pre_call", "guardrail_status": "guardrail_intervened"}
    ]
    assert payload["metadata"]["applied_guardrails"] == ["guard-pii"]


def test_callers_can_be_redacted() -> None:
    principal = Principal("k", attributes={"user_email": "ada@example.com", "team_alias": "red"})
    told = finished(make_context(principal=principal), redact_callers=True, team="t", user="u", key_alias="a")
    text = spelled(told.payload).decode()
    for name in ("ada@example.com", '"red"', '"t"', '"u"', '"a"'):
        assert name not in text
    assert told.payload["metadata"]["user_api_key_team_id"] == "**********"


async def test_redaction_and_left_out_fields_by_litellms_keys(
    gateway: StartGateway, telling: Any, recorder: Recorder
) -> None:
    litellm = {
        "redact_user_api_key_info": True,
        "standard_logging_payload_excluded_fields": ["requester_ip_address", "routeiq"],
    }
    running = await gateway(telling({"kind": "webhook", "url": recorder.url}, litellm=litellm))
    await running.chat("m")
    (payload,) = (await recorder.until(1))[0].json()
    assert payload["metadata"]["user_api_key_hash"] == "**********"
    assert not {"requester_ip_address", "routeiq"} & set(payload)


@pytest.mark.parametrize(
    "value",
    [{"a": "half \ud800"}, {"n": 1 << 70}, {1: "key"}, {"when": object()}, {"a": float("nan")}],
)
def test_anything_can_be_spelled(value: Any) -> None:
    assert json.loads(spelled(value))


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-1234567890abcdef.",
        "Incorrect API key provided: sk-upstr**************cdef",
        "bad header: Bearer abcdefghijklmnop",
    ],
)
def test_an_error_shows_no_key(text: str) -> None:
    shown = without_keys(text)
    assert shown is not None
    assert shown.endswith(("[masked]", "[masked]."))
    assert "cdef" not in shown
    assert "klmnop" not in shown


async def test_no_key_leaves_with_a_payload(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream
) -> None:
    """Keys that were sown: the gateway's, the provider's (which it repeats in an error), and those of other targets."""
    targets = [
        {"kind": "webhook", "url": f"{recorder.url}/one"},
        {"kind": "langfuse", "host": recorder.url, "public_key": "pk-sown-1", "secret_key": "sk-sown-2"},
        {"kind": "datadog", "url": recorder.url, "api_key": "sown-3"},
        {
            "kind": "s3",
            "bucket": "logs",
            "endpoint_url": recorder.url,
            "access_key_id": "AKIASOWN4",
            "secret_access_key": "sown-5",
        },
    ]
    running = await gateway(telling(*targets, messages={"mode": "full"}))
    scripted_upstream.script(Reply.error(401, "Incorrect API key provided: sk-upstream."))
    await running.chat("m")
    await running.chat("m")
    headers = {"authorization": "Bearer sk-wrong-0123456789"}
    async with running.session.post("/v1/chat/completions", json={"model": "m"}, headers=headers) as answer:
        assert answer.status == 401

    def everywhere(sent: list[Any]) -> bool:
        return all(sum(place in one.path for one in sent) for place in ("/one", "ingestion", "v2/logs", "/logs/2"))

    await recorder.until(everywhere)
    await recorder.until(
        lambda sent: sum(one.text.count('"litellm_call_id"') for one in sent if "/one" in one.path) == 3
    )
    bodies = "\n".join(one.text for one in recorder.sent)
    for key in (KEY, "sk-upstream", "sk-wrong-0123456789", "pk-sown-1", "sk-sown-2", "sown-3", "AKIASOWN4", "sown-5"):
        assert key not in bodies
    assert "sown-5" not in recorder.everything()

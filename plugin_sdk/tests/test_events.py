"""The event contracts: what they tell of a record, and that a version, once published, only grows.

To publish a change, run this file: `python plugin_sdk/tests/test_events.py`. It refuses what readers could not bear.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from routeiq_sdk import Candidate, Decision, Outcome, Record, Ruling, TraceContext, Usage
from routeiq_sdk.events import (
    CONTRACTS,
    AdminV1,
    ConnectionV1,
    Contract,
    McpSkillV1,
    McpToolV1,
    SignInV1,
    ToolCallV1,
    ToolSessionV1,
    UserV1,
    events_of,
)
from routeiq_sdk.testing.fakes import make_record

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
SAMPLES = Path(__file__).parent / "golden" / "events"
"""Payloads as earlier versions of RouteIQ wrote them. Add to them; never change one."""

TRACE = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331", True)
PUBLISHED = sorted(CONTRACTS)


def full_record(**fields: Any) -> Record:
    values: dict[str, Any] = {
        "decision_id": "dec-req-test",
        "trace": TRACE,
        "decision": Decision(
            "routing-ml:default",
            (Candidate("small", 0.9, 0.8, 1200, 0.1, "cheap enough"), Candidate("large", 0.4, 0.9, 9000)),
            "small is good enough",
            0.75,
            "3",
            {
                "profile": "quality",
                "experiment": {"experiment_id": "e1", "variant": "b", "weight": 1.0},
                "router": "default",
            },
        ),
        "attempts": (
            Outcome(1, "small-1", "openai", "small", "timeout", 0, 1000.0, True, error_type="Timeout", group="small"),
            Outcome(
                2, "large-1", "openai", "large", "ok", 200, 210.0, True, 95.0, Usage(12, 34), 14_800, group="large"
            ),
        ),
        "group": "large",
        "rulings": (Ruling("guard_request", "guard-pii", "replace"),),
        "routing_ms": 1.25,
        "action": "chat:create",
    }
    return make_record(**{**values, **fields})


def told(record: Record) -> dict[str, Contract]:
    return {event.NAME: event for event in events_of(record)}


def test_a_request_that_fell_back_tells_all_of_it() -> None:
    events = told(full_record())
    assert set(events) == {
        "routeiq.guard.v1",
        "routeiq.router_decision.v1",
        "routeiq.router_decision.v2",
        "routeiq.attempt.v1",
        "routeiq.usage.v1",
    }
    decision = events["routeiq.router_decision.v2"].payload()
    assert decision["outcome"]["status"] == "fallback"
    assert decision["fallback"] == {
        "fallback_triggered": True,
        "original_model": "small",
        "fallback_reason": "Timeout",
        "fallback_attempt": 2,
    }
    assert (decision["propensity"], decision["policy"], decision["experiment"]["variant"]) == (0.75, "quality", "b")
    assert [attempt["kind"] for attempt in decision["attempts"]] == ["timeout", "ok"]
    assert decision["candidate_deployments"][0]["quality"] == 0.8
    assert decision["custom_attributes"] == {"router": "default"}
    assert decision["timings"]["total_ms"] == 1.25


def test_a_concrete_model_is_a_decision_too() -> None:
    events = told(full_record(decision=None))
    payload = events["routeiq.router_decision.v1"].payload()
    assert (payload["strategy_name"], payload["selected_deployment"]) == (None, "large")
    assert payload["selection_reason"] == "a concrete model is honoured"


def test_the_cost_of_a_task_is_that_of_all_attempts() -> None:
    attempts = (
        Outcome(1, "a", "openai", "small", "cut", 0, 10.0, True, usage=Usage(5, 5), cost=500, group="small"),
        Outcome(2, "b", "openai", "large", "ok", 200, 10.0, True, usage=Usage(5, 5), cost=900, group="large"),
    )
    usage = told(full_record(attempts=attempts, cost=900))["routeiq.usage.v1"].payload()
    assert (usage["cost"], usage["total_cost"]) == (900, 1400)


@pytest.mark.parametrize("stage", ["door", "admit", "authenticate", "permit", "read", "authorize", "route", "reserve"])
def test_a_refusal_before_any_provider_is_an_admission_event(stage: str) -> None:
    record = make_record(
        status=429,
        stage=stage,
        error_type="budget_exceeded",
        error="no money",
        usage=None,
        rulings=(Ruling("reserve", "governance", "reject", 429, "budget_exceeded"),),
    )
    events = told(record)
    payload = events["routeiq.admission.v1"].payload()
    assert (payload["stage"], payload["plugin"], payload["reason"]) == (stage, "governance", "budget_exceeded")
    assert "routeiq.usage.v1" not in events


def test_a_guard_that_refuses_is_no_admission_event() -> None:
    ruling = Ruling("guard_request", "guard-secrets", "reject", 400, "content_policy_violation")
    events = told(make_record(status=400, stage="guard", error_type="x", rulings=(ruling,), usage=None))
    assert set(events) == {"routeiq.guard.v1"}
    assert events["routeiq.guard.v1"].payload()["status"] == 400


def test_a_failure_of_providers_is_no_admission_event() -> None:
    failed = Outcome(1, "a", "openai", "small", "error", 500, 10.0, True, group="small")
    events = told(make_record(status=500, stage=None, error_type="x", attempts=(failed,), usage=None))
    assert "routeiq.admission.v1" not in events
    payload = events["routeiq.router_decision.v1"].payload()
    assert payload["outcome"]["status"] == "failure"


def samples() -> Iterator[Contract]:
    yield from told(full_record()).values()
    yield from told(make_record(status=401, stage="authenticate", error_type="auth_error", usage=None)).values()
    yield AdminV1(
        event_id="req-test-asked",
        timestamp_utc="2026-01-01T00:00:00.000Z",
        request_id="req-test",
        trace_id=TRACE.trace_id,
        phase="asked",
        action="key:create",
        method="POST",
        route="/key/generate",
        status=0,
        principal="master",
        principal_kind="admin",
        user=None,
        team=None,
        client="127.0.0.1",
        target={"team_id": "t1"},
        changes={"models": ["small"]},
    )
    yield SignInV1(
        event_id="req-test-sign-in",
        timestamp_utc="2026-01-01T00:00:00.000Z",
        request_id="req-test",
        step="signed_in",
        principal="oidc:ada",
        user="ada",
        team=None,
        client="127.0.0.1",
    )
    yield ToolCallV1(
        event_id="call-1",
        timestamp_utc="2026-01-01T00:00:00.000Z",
        request_id="req-test",
        trace_id=TRACE.trace_id,
        protocol="mcp",
        server="weather",
        tool="forecast",
        argument_names=("city",),
        arguments_sha256="0" * 64,
        outcome="ok",
        latency_ms=12.5,
    )
    yield ToolSessionV1(
        event_id="session-1",
        timestamp_utc="2026-01-01T00:00:00.000Z",
        protocol="mcp",
        side="server",
        server="weather",
        session_sha256="0" * 16,
        protocol_version="2025-11-25",
        transport="tcp",
        duration_ms=1500.0,
        ended_by="client",
        principal="key-1",
    )
    yield McpToolV1(
        what="quarantined",
        server="weather",
        tool="forecast",
        definition_sha256="0" * 64,
        event_id="pin-1",
        timestamp_utc="2026-01-01T00:00:00.000Z",
    )
    yield McpSkillV1(
        what="approved",
        server="weather",
        skill="skill://forecast/SKILL.md",
        definition_sha256="0" * 64,
        event_id="pin-2",
        timestamp_utc="2026-01-01T00:00:00.000Z",
    )
    yield ConnectionV1(
        what="connected",
        upstream="mcp:weather",
        principal="key-1",
        event_id="connection-1",
        timestamp_utc="2026-01-01T00:00:00.000Z",
        user="ada",
    )
    yield UserV1(
        event_id="user-1", timestamp_utc="2026-01-01T00:00:00.000Z", what="blocked", user="ada", by="default_user_id"
    )


def test_there_is_a_sample_of_every_contract() -> None:
    assert {sample.NAME for sample in samples()} == set(CONTRACTS)


@pytest.mark.parametrize("sample", list(samples()), ids=lambda sample: str(sample.NAME))
def test_an_event_is_what_its_schema_says_and_reads_back(sample: Contract) -> None:
    payload = json.loads(sample.json())
    jsonschema.Draft202012Validator(type(sample).schema()).validate(payload)
    assert type(sample).read(payload) == sample
    assert sample.event(7).payload == payload


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_schema_is_the_contract(name: str) -> None:
    published = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    assert published == CONTRACTS[name].schema(), "the contract changed; see this file's docstring"


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_field_is_described(name: str) -> None:
    schema = CONTRACTS[name].schema()
    for owner in (schema, *schema.get("$defs", {}).values()):
        for field, told_of in owner.get("properties", {}).items():
            refers = "$ref" in told_of or any("$ref" in each for each in told_of.get("anyOf", ()))
            assert told_of.get("description") or refers, f"{owner.get('title', name)}.{field}"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_what_earlier_versions_wrote_can_still_be_read(path: Path) -> None:
    payload = json.loads(path.read_text(encoding="utf-8"))
    name = path.stem.partition("+")[0]
    CONTRACTS[name].read(payload)


def test_version_2_of_the_decision_holds_all_of_version_1() -> None:
    first = CONTRACTS["routeiq.router_decision.v1"].schema()["properties"]
    second = CONTRACTS["routeiq.router_decision.v2"].schema()["properties"]
    assert set(first) <= set(second)


def breaks(old: dict[str, Any], new: dict[str, Any], path: str = "") -> Iterator[str]:
    """What a reader of the `old` schema could not bear in events of the `new` one."""
    for definition, schema in old.get("$defs", {}).items():
        yield from breaks(schema, new.get("$defs", {}).get(definition, {}), f"{path}{definition}.")
    for field, schema in old.get("properties", {}).items():
        now = new.get("properties", {}).get(field)
        if now is None:
            yield f"{path}{field} is gone"
        elif _meaning(schema) != _meaning(now):
            yield f"{path}{field} means something else"
        if field in old.get("required", ()) and field not in new.get("required", ()):
            yield f"{path}{field} may be missing now"


def _meaning(schema: dict[str, Any]) -> Any:
    return {key: value for key, value in schema.items() if key not in ("description", "title", "default")}


def test_a_change_that_readers_cannot_bear_is_found() -> None:
    old = CONTRACTS["routeiq.attempt.v1"].schema()
    for harm in ("gone", "means something else", "may be missing"):
        new = json.loads(json.dumps(old))
        if harm == "gone":
            del new["properties"]["latency_ms"]
        elif harm == "means something else":
            new["properties"]["latency_ms"] = {"type": "string"}
        else:
            new["required"].remove("latency_ms")
        assert any(harm in found for found in breaks(old, new))
    assert list(breaks(old, old)) == []
    grown = json.loads(json.dumps(old))
    grown["properties"]["new_field"] = {"type": "string"}
    assert list(breaks(old, grown)) == []


def publish() -> None:
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    SAMPLES.mkdir(parents=True, exist_ok=True)
    for name, contract in CONTRACTS.items():
        path = SCHEMAS / f"{name}.json"
        if path.exists():
            found = list(breaks(json.loads(path.read_text(encoding="utf-8")), contract.schema()))
            if found:
                raise SystemExit(f"{name}: {'; '.join(found)}. Make a new version instead.")
        path.write_text(json.dumps(contract.schema(), indent=1) + "\n", encoding="utf-8")
    for sample in samples():
        path = SAMPLES / f"{sample.NAME}.json"
        if not path.exists():
            path.write_text(json.dumps(sample.payload(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    publish()

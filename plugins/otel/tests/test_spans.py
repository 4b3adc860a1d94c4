"""A request becomes a tree of spans that says what happened, in the conventions' words."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from routeiq_otel.taking import Taken
from routeiq_sdk import Deployment, ModelGroup, Record, Ruling, TraceContext, Usage
from routeiq_sdk.testing import FakeGateway

from .collector import Received, payload_of, told
from .requests import exported, outcome, request

SPAN_ID = "00f067aa0ba902b7"
AT = 1_700_000_000_000_000_000


def one(record: Record, **fields: Any) -> tuple[Span, list[Span]]:
    received: Received = exported(Taken(record, True, **fields))
    (server,) = received.servers()
    return server, received.children(server)


def test_the_tree_hangs_below_the_callers_span() -> None:
    record = request()
    server, (child,) = one(record)
    assert record.trace is not None
    assert {span.trace_id.hex() for span in (server, child)} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert server.parent_span_id.hex() == SPAN_ID
    assert server.span_id.hex() == record.trace.span_id
    assert (server.name, server.kind) == ("POST /v1/chat/completions", Span.SPAN_KIND_SERVER)
    assert (child.name, child.kind) == ("chat gpt-small", Span.SPAN_KIND_CLIENT)
    assert server.flags == 0x301  # sampled, and the parent is known to be remote
    assert child.flags == 0x101


def test_a_trace_that_begins_here_has_no_parent() -> None:
    server, _ = one(request(trace=TraceContext.begin(None)))
    assert server.parent_span_id == b""
    assert server.flags == 0x101


def test_the_callers_trace_state_is_handed_on() -> None:
    trace = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", SPAN_ID, state="vendor=1")
    server, (child,) = one(request(trace=trace))
    assert server.trace_state == child.trace_state == "vendor=1"


def test_times_are_the_requests_and_the_attempts() -> None:
    server, (child,) = one(request(latency_ms=210.5))
    assert (server.start_time_unix_nano, server.end_time_unix_nano) == (AT, AT + 210_500_000)
    assert (child.start_time_unix_nano, child.end_time_unix_nano) == (AT + 5_000_000, AT + 205_000_000)


def test_the_requests_attributes() -> None:
    record = request(
        stream=True,
        team="red",
        organization="acme",
        key_alias="ci",
        user="alice@example.com",
        end_user="u-1",
        tags=("a", "b"),
        usage=Usage(100, 10, cached_tokens=40, cache_write_tokens=7, reasoning_tokens=4, estimated=True),
    )
    attributes = told(one(record)[0].attributes)
    expected = {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "auto",
        "gen_ai.response.model": "small",
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": pytest.approx(0.095),
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_creation.input_tokens": 7,
        "gen_ai.usage.reasoning.output_tokens": 4,
        "routeiq.usage.estimated": True,
        "routeiq.request_id": "req-test",
        "routeiq.action": "chat:create",
        "routeiq.surface": "openai",
        "routeiq.model_group": "small",
        "routeiq.deployment": "small-1",
        "routeiq.principal.hash": hashlib.sha256(b"test").hexdigest()[:16],
        "routeiq.key_alias": "ci",
        "routeiq.team": "red",
        "routeiq.organization": "acme",
        "user.hash": hashlib.sha256(b"alice@example.com").hexdigest()[:16],
        "enduser.pseudo.id": hashlib.sha256(b"u-1").hexdigest()[:16],
        "routeiq.tags": ["a", "b"],
        "routeiq.config": "test",
        "routeiq.attempts": 1,
        "routeiq.cost_usd": pytest.approx(14_800e-9),
        "routeiq.overhead_ms": 0.4,
        "router.strategy": "knn",
        "router.strategy_version": "v7",
        "router.model_selected": "small",
        "router.score": 0.75,
        "router.candidates_evaluated": 2,
        "router.latency_ms": 1.5,
        "router.decision_outcome": "success",
        "router.decision_reason": "near",
        "router.fallback_triggered": False,
    }
    assert attributes == expected


def test_an_attempts_attributes() -> None:
    deployment = Deployment("small-1", "small", "azure", "gpt-small", "openai", api_base="https://example.com:8443/v1")
    gateway = FakeGateway("otel", groups=[ModelGroup("small", (deployment,))])
    parameters = (("gen_ai.request.temperature", 0.5), ("gen_ai.request.stop_sequences", ("a", "b")))
    record = request(stream=True, attempts=(outcome(provider="azure"),))
    received = exported(Taken(record, True, parameters=parameters), gateway=gateway)
    (child,) = received.children(received.servers()[0])
    assert told(child.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "gpt-small",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stop_sequences": ["a", "b"],
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": pytest.approx(0.09),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 34,
        "server.address": "example.com",
        "server.port": 8443,
        "http.response.status_code": 200,
        "routeiq.model_group": "small",
        "routeiq.deployment": "small-1",
        "routeiq.attempt.number": 1,
        "routeiq.attempt.kind": "ok",
        "routeiq.cost_usd": pytest.approx(14_800e-9),
    }


def test_a_fallback_is_two_children_the_first_of_which_failed() -> None:
    bad = outcome(
        kind="error", status=500, group="large", model="gpt-large", error_type="InternalServerError",
        message="boom", usage=None, cost=1000, response_id=None, finish_reason=None,
    )  # fmt: skip
    good = outcome(2, started_ms=300.0)
    server, (first, second) = one(request(attempts=(bad, good), cost=14_800))
    assert first.status.code == Status.STATUS_CODE_ERROR
    assert first.status.message == "boom"
    assert told(first.attributes)["error.type"] == "InternalServerError"
    assert second.status.code == Status.STATUS_CODE_UNSET
    assert second.start_time_unix_nano == AT + 300_000_000
    assert server.status.code == Status.STATUS_CODE_UNSET
    attributes = told(server.attributes)
    assert attributes["router.fallback_triggered"] is True
    assert attributes["router.decision_outcome"] == "fallback"
    assert attributes["routeiq.cost_usd"] == pytest.approx(15_800e-9)
    assert payload_of(server)["fallback"]["original_model"] == "large"


@pytest.mark.parametrize(("status", "code"), [(500, Status.STATUS_CODE_ERROR), (404, Status.STATUS_CODE_UNSET)])
def test_only_our_own_failures_make_the_servers_span_an_error(status: int, code: int) -> None:
    server, _ = one(request(status=status, error_type="some_error", error="said", attempts=()))
    assert server.status.code == code
    assert told(server.attributes)["error.type"] == "some_error"


def test_what_looks_like_a_key_never_becomes_a_status() -> None:
    key = "sk-proj-0a1b2c3d4e5f6a7b8c9d"
    bad = outcome(kind="error", status=401, message=f"Incorrect API key provided: {key}.")
    received = exported(Taken(request(status=500, error=f"no {key}", attempts=(bad,)), True))
    assert key.encode() not in received.everything()
    assert b"[masked]" in received.everything()


def test_the_span_id_that_a_provider_was_told_is_the_attempts() -> None:
    _, children = one(request(attempts=(outcome(), outcome(2))), span_ids={2: "aaaaaaaaaaaaaaaa"})
    assert children[1].span_id.hex() == "aaaaaaaaaaaaaaaa"
    assert children[0].span_id != children[1].span_id


def test_the_decision_is_an_event_where_the_first_attempt_began() -> None:
    server, _ = one(request())
    (event,) = server.events
    assert event.name == "routeiq.router_decision.v1"
    assert event.time_unix_nano == AT + 5_000_000
    assert payload_of(server)["selected_deployment"] == "small"


def test_objections_are_events() -> None:
    rulings = (Ruling("guard_request", "pii", "replace"), Ruling("guard_response", "toxic", "reject", 400, "policy"))
    server, _ = one(request(rulings=rulings))
    _, first, second = server.events
    assert (first.name, first.time_unix_nano) == ("routeiq.guard.v1", AT + 5_000_000)
    assert (second.name, second.time_unix_nano) == ("routeiq.guard.v1", server.end_time_unix_nano)
    assert told(second.attributes) == {
        "routeiq.plugin": "toxic",
        "routeiq.hook": "guard_response",
        "routeiq.ruling.action": "reject",
        "routeiq.ruling.reason": "policy",
        "routeiq.status": 400,
    }


def test_a_refusal_at_the_door_is_one_span_with_its_objection() -> None:
    refused = request(
        status=429, stage="reserve", error_type="budget_exceeded", error="spent", decision=None, attempts=(),
        group=None, usage=None, cost=None, rulings=(Ruling("reserve", "governance", "reject", 429, "budget_exceeded"),),
    )  # fmt: skip
    server, children = one(refused)
    assert children == []
    assert [event.name for event in server.events] == ["routeiq.admission.v1"]
    attributes = told(server.attributes)
    assert attributes["routeiq.stage"] == "reserve"
    assert "router.model_selected" not in attributes


def test_the_clients_address_is_told_only_on_demand() -> None:
    record = request(client="198.51.100.7")
    assert "client.address" not in told(one(record)[0].attributes)
    (server,) = exported(Taken(record, True), client_address=True).servers()
    assert told(server.attributes)["client.address"] == "198.51.100.7"


def test_requests_that_differ_are_not_confused() -> None:
    """What is kept from one request to the next is looked up by all that it was made of."""
    base = request()
    others: list[Record] = [base]
    changes: dict[str, Any] = {
        "status": 201,
        "stream": True,
        "action": "embedding:create",
        "tags": ("x",),
        "route": "/v1/messages",
        **dict.fromkeys(("requested_model", "group", "model", "provider", "deployment_id", "principal"), "other"),
        **dict.fromkeys(("key_alias", "team", "organization", "user", "error_type", "config", "surface"), "other"),
        "stage": "deliver",
    }
    others += [replace(base, **{name: value}) for name, value in changes.items()]
    details: dict[str, Any] = {"provider": "groq", "model": "x", "kind": "error", "status": 503, "group": "other"}
    details |= {"deployment_id": "d9", "finish_reason": "length"}
    others += [replace(base, attempts=(outcome(**{name: value}),)) for name, value in details.items()]
    together = exported(*(Taken(each, True) for each in others)).spans
    apart = [span for each in others for span in exported(Taken(each, True)).spans]
    assert [(span.name, told(span.attributes)) for span in together] == [
        (span.name, told(span.attributes)) for span in apart
    ]
    told_apart = {
        (server.name, str(told(server.attributes)), child.name, str(told(child.attributes)))
        for server, child in zip(apart[::2], apart[1::2], strict=True)
    }
    assert len(told_apart) == len(others)


@pytest.mark.parametrize(
    ("action", "name"),
    [("chat:create", "chat"), ("completion:create", "text_completion"), ("embedding:create", "embeddings")],
)
def test_the_operation_names_the_attempts_span(action: str, name: str) -> None:
    _, (child,) = one(request(action=action))
    assert child.name == f"{name} gpt-small"

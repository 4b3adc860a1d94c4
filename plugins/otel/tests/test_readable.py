"""Exporters of the ecosystem are told what OTLP's receivers are told: the same spans, ids, attributes and events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from routeiq_otel.places import Places
from routeiq_otel.readable import Readable
from routeiq_otel.spans import Spans
from routeiq_otel.taking import Taken
from routeiq_sdk import Record, Ruling, TraceContext, Usage
from routeiq_sdk.testing import FakeGateway

from .collector import told
from .exporting import ids
from .requests import outcome, request

RESOURCE: dict[str, str | int] = {"service.name": "test", "process.pid": 7}
STATE = "vendor=1,other=a b"
TEXTS = {
    "messages": [{"role": "user", "content": "héllo"}],
    "tools": [{"name": "x" * 500}],
}
CASES = {
    "plain": Taken(request(), True),
    "begins here": Taken(request(trace=TraceContext.begin(None)), True),
    "with a state": Taken(request(trace=TraceContext("ab" * 16, "cd" * 8, "ef" * 8, state=STATE)), True),
    "with texts": Taken(request(), True, prompt=TEXTS, answer="yes", wire="openai-chat"),
    "with parameters": Taken(
        request(),
        True,
        parameters=(("gen_ai.request.seed", -3), ("gen_ai.request.temperature", -0.5), ("gen_ai.request.top_p", 0.0)),
    ),
    "failed": Taken(
        request(
            status=503,
            error="no answer",
            error_type="overloaded",
            attempts=(outcome(kind="server", status=500, message="broken"), outcome(2, started_ms=300.0)),
            rulings=(Ruling("pii", "guard_request", "refuse", reason="no", status=400),),
        ),
        True,
        span_ids={1: "0102030405060708"},
    ),
    "full": Taken(
        request(stream=True, team="red", tags=("a", "b"), usage=Usage(100, 10, cached_tokens=40, estimated=True)), True
    ),
    "not routed": Taken(request(attempts=(), decision=None, status=401, action=""), True),
}


def both(taken: Taken) -> list[tuple[Span, ReadableSpan]]:
    """Each span as OpenTelemetry's own message type reads it, and as an exporter is given it."""
    from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

    body = Spans(Places(FakeGateway("otel"))).encode(taken)
    messages = ScopeSpans.FromString(body).spans
    readable = Readable(RESOURCE).spans(body)
    assert len(messages) == len(readable) == 1 + len(taken.record.attempts)
    return list(zip(messages, readable, strict=True))


def plain(attributes: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in attributes.items()}


@pytest.mark.parametrize("case", CASES)
def test_an_exporter_is_told_what_a_receiver_is_told(case: str) -> None:
    for message, span in both(CASES[case]):
        assert ids(span) == (message.trace_id.hex(), message.span_id.hex(), message.parent_span_id.hex())
        assert (span.name, span.start_time, span.end_time) == (
            message.name,
            message.start_time_unix_nano,
            message.end_time_unix_nano,
        )
        assert f"SPAN_KIND_{span.kind.name}" == Span.SpanKind.Name(message.kind)
        assert (span.status.status_code.value, span.status.description or "") == (
            message.status.code,
            message.status.message,
        )
        assert plain(span.attributes) == told(message.attributes)
        assert [(event.name, event.timestamp, plain(event.attributes)) for event in span.events] == [
            (event.name, event.time_unix_nano, told(event.attributes)) for event in message.events
        ]
        assert span.context is not None
        assert span.context.trace_state.to_header() == message.trace_state
        assert span.context.trace_flags.sampled


def test_the_cases_are_as_different_as_their_names_say() -> None:
    failed = [span for _, span in both(CASES["failed"])]
    assert [span.status.status_code for span in failed] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]
    assert [span.kind for span in failed] == [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.CLIENT]
    assert len(failed[0].events) == 2
    parameters = both(CASES["with parameters"])[1][1].attributes
    assert parameters is not None
    assert (parameters["gen_ai.request.seed"], parameters["gen_ai.request.temperature"]) == (-3, -0.5)


def test_only_the_callers_span_is_a_remote_parent() -> None:
    record: Record = request()
    server, child = (span for _, span in both(Taken(record, True)))
    assert server.parent is not None
    assert child.parent is not None
    assert (server.parent.is_remote, child.parent.is_remote) == (True, False)
    assert child.parent.span_id == int(record.trace.span_id, 16) if record.trace is not None else False


def test_the_resource_and_the_scope_are_the_gateways() -> None:
    _, span = both(CASES["plain"])[0]
    assert dict(span.resource.attributes) == RESOURCE
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "routeiq"


def test_a_span_has_the_sdks_own_json_form() -> None:
    for case in CASES.values():
        for _, span in both(case):
            assert json.loads(span.to_json())["name"] == span.name

"""Finished requests as the core would tell of them."""

from __future__ import annotations

from typing import Any

from routeiq_otel.envelope import Envelope
from routeiq_otel.places import Places
from routeiq_otel.spans import Spans
from routeiq_otel.taking import Taken
from routeiq_sdk import Candidate, Decision, Outcome, Record, TraceContext, Usage
from routeiq_sdk.testing import FakeGateway, make_record

from .collector import REQUESTS, Export, Received

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def outcome(number: int = 1, **fields: Any) -> Outcome:
    """A call that went well, unless told otherwise."""
    values: dict[str, Any] = {
        "number": number,
        "deployment_id": "small-1",
        "provider": "openai",
        "model": "gpt-small",
        "kind": "ok",
        "status": 200,
        "latency_ms": 200.0,
        "dispatched": True,
        "first_byte_ms": 90.0,
        "usage": Usage(12, 34),
        "cost": 14_800,
        "group": "small",
        "response_id": "chatcmpl-1",
        "finish_reason": "stop",
        "started_ms": 5.0,
    }
    return Outcome(**{**values, **fields})


def request(**fields: Any) -> Record:
    """A routed chat that went well, unless told otherwise."""
    values: dict[str, Any] = {
        "decision_id": "dec-req-test",
        "action": "chat:create",
        "group": "small",
        "decision": Decision(
            "knn", (Candidate("small", 0.75), Candidate("large", 0.25)), "near", version="v7", propensity=0.9
        ),
        "trace": TraceContext.begin(CALLER),
        "routing_ms": 1.5,
        "attempts": (outcome(),),
    }
    return make_record(**{**values, **fields})


def exported(*taken: Taken, gateway: FakeGateway | None = None, **options: Any) -> Received:
    """The spans of these requests, as a receiver reads them."""
    spans = Spans(Places(gateway or FakeGateway("otel")), **options)
    body = Envelope({"service.name": "test"}).around([spans.encode(each) for each in taken])
    return Received([Export("traces", "", {}, body, REQUESTS["traces"].FromString(body))])

"""The short way of spelling a decision says what the long way says, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_audit.canonical import canonical
from routeiq_audit.decision_bytes import decision_bytes
from routeiq_sdk import Candidate, Decision, Outcome, Record, TraceContext, Usage
from routeiq_sdk.events.of_record import decision_v2_of

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_maybe = st.none() | _text
_float = st.floats(allow_nan=False, allow_infinity=False, width=64)
_ms = st.floats(0, 1e7)
_int = st.integers(0, 2**60)
_usage = st.builds(Usage, input_tokens=_int, output_tokens=_int)
_kind = st.sampled_from(["ok", "error", "timeout", "cut", "garbage", "vetoed", "cancelled"])
_outcome = st.builds(
    Outcome,
    number=st.integers(1, 9),
    deployment_id=_text,
    provider=_text,
    model=_text,
    kind=_kind,
    status=st.sampled_from([0, 200, 429, 500]),
    latency_ms=_ms,
    dispatched=st.booleans(),
    first_byte_ms=st.none() | _ms,
    usage=st.none() | _usage,
    cost=st.none() | _int,
    error_type=_maybe,
    message=_maybe,
    group=_text,
    response_id=_maybe,
    finish_reason=_maybe,
)
_candidate = st.builds(
    Candidate,
    model=_text,
    score=_float,
    quality=st.none() | _float,
    cost=st.none() | _int,
    uncertainty=st.none() | _float,
    reason=_text,
)
_json = st.recursive(
    st.none() | st.booleans() | _int | _float | _text,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_text, below, max_size=3),
    max_leaves=6,
)
_experiment = st.fixed_dictionaries(
    {}, optional={"experiment_id": _text, "variant": _text, "weight": _float, "hash_bucket": _int, "odd": _text}
)
_attributes = st.fixed_dictionaries(
    {},
    optional={
        "experiment": _experiment | _text,
        "features": _text,
        "feature_reference": _text,
        "policy": _text,
        "profile": _text,
        "query_length": _int | _text,
        "own": _json,
    },
)
_decision = st.builds(
    Decision,
    strategy=_text,
    candidates=st.lists(_candidate, min_size=1, max_size=3).map(tuple),
    reason=_text,
    propensity=st.floats(0, 1),
    version=_text,
    attributes=_attributes,
)
_hex = st.integers(1, 2**64 - 1)
_trace = st.builds(lambda a, b, c: TraceContext(f"{a:032x}", f"{b:016x}", c), _hex, _hex, st.none() | _text)
_record = st.builds(
    Record,
    request_id=_text,
    decision_id=_maybe,
    at=st.integers(0, 2**61),
    surface=_text,
    route=_text,
    status=st.sampled_from([200, 400, 408, 429, 499, 500, 504]),
    stream=st.booleans(),
    requested_model=_maybe,
    model=_maybe,
    deployment_id=_maybe,
    provider=_maybe,
    principal=_maybe,
    team=_maybe,
    user=_maybe,
    end_user=_maybe,
    tags=st.lists(_text, max_size=2).map(tuple),
    decision=st.none() | _decision,
    attempts=st.lists(_outcome, max_size=3).map(tuple),
    usage=st.none() | _usage,
    cost=st.none() | _int,
    price_version=_maybe,
    latency_ms=_ms,
    first_byte_ms=st.none() | _ms,
    overhead_ms=st.none(),
    config=_text,
    error_type=_maybe,
    error=_maybe,
    group=_maybe,
    trace=st.none() | _trace,
    stage=st.none() | st.sampled_from(["attempt", "route"]),
    routing_ms=st.none() | _ms,
)


@given(_record)
def test_both_ways_spell_every_record_alike(record: Record) -> None:
    assert decision_bytes(record) == canonical(decision_v2_of(record).payload())


@pytest.mark.parametrize(
    "changes",
    [
        {"latency_ms": 12.0},
        {"latency_ms": 0.00001},
        {"cost": 2**53 + 1},
        {"user": "naïve 🦊"},
        {"tags": ("a", "b")},
    ],
)
def test_both_ways_spell_odd_numbers_and_texts_alike(changes: dict[str, Any]) -> None:
    record = _plain(**changes)
    assert decision_bytes(record) == canonical(decision_v2_of(record).payload())


def _plain(**changes: Any) -> Record:
    outcome = Outcome(1, "d", "openai", "m", "ok", 200, 10.0, True, 5.0, Usage(1, 2), 7, group="g")
    facts: dict[str, Any] = {
        "request_id": "r",
        "decision_id": None,
        "at": 1_700_000_000_123_456_789,
        "surface": "openai",
        "route": "/v1/chat/completions",
        "status": 200,
        "stream": False,
        "requested_model": "g",
        "model": "m",
        "deployment_id": "d",
        "provider": "openai",
        "principal": "p",
        "team": None,
        "user": None,
        "end_user": None,
        "tags": (),
        "decision": None,
        "attempts": (outcome,),
        "usage": Usage(1, 2),
        "cost": 7,
        "price_version": None,
        "latency_ms": 10.5,
        "first_byte_ms": 5.0,
        "overhead_ms": 0.5,
        "config": "c",
        "group": "g",
    }
    return Record(**(facts | changes))

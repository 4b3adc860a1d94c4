"""The decision on the span is the contract's JSON, with people hashed and nothing that looks like a key."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_otel.decision import decision_json
from routeiq_sdk import Candidate, Decision, Record, TraceContext, Usage
from routeiq_sdk.events import RouterDecisionV1
from routeiq_sdk.events.of_record import decision_v1_of

from .requests import outcome, request

NAMES = st.text(max_size=20)
MAYBE = st.none() | NAMES
SCORES = st.floats(allow_nan=False, allow_infinity=False)


def sha(value: str | None) -> str | None:
    return None if value is None else hashlib.sha256(value.encode()).hexdigest()[:16]


def by_contract(record: Record) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(decision_v1_of(record).json())
    told["input"]["user_id"] = sha(record.user)
    told["input"]["request_metadata"]["end_user"] = sha(record.end_user)
    return told


@given(
    model=MAYBE,
    user=MAYBE,
    end_user=MAYBE,
    team=MAYBE,
    group=st.sampled_from(["small", "größer", 'quo"te']),
    tags=st.lists(NAMES, max_size=3).map(tuple),
    candidates=st.lists(st.tuples(NAMES, SCORES), max_size=4),
    reason=NAMES,
    attributes=st.dictionaries(st.sampled_from(["query_length", "policy", "own", "profile"]), st.integers() | NAMES),
    usage=st.none() | st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6)),
    routing_ms=st.none() | st.floats(0, 1e6),
    called=st.booleans(),
    parent=st.sampled_from([None, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]),
)
def test_the_usual_case_equals_the_contract(
    model: str | None,
    user: str | None,
    end_user: str | None,
    team: str | None,
    group: str,
    tags: tuple[str, ...],
    candidates: list[tuple[str, float]],
    reason: str,
    attributes: dict[str, Any],
    usage: Usage | None,
    routing_ms: float | None,
    called: bool,
    parent: str | None,
) -> None:
    ranked = (Candidate(group, 0.5), *(Candidate(name, score) for name, score in candidates))
    decision = Decision("a strategy", ranked, reason, version="1", attributes=attributes) if candidates else None
    record = request(
        requested_model=model,
        user=user,
        end_user=end_user,
        team=team,
        group=group if called else None,
        tags=tags,
        decision=decision,
        usage=usage,
        routing_ms=routing_ms,
        attempts=(outcome(group=group),) if called else (),
        trace=TraceContext.begin(parent),
    )
    written = decision_json(record)
    assert json.loads(written) == by_contract(record)
    RouterDecisionV1.read(written)


@pytest.mark.parametrize(
    "record",
    [
        request(attempts=(outcome(kind="error", status=500, group="large"), outcome(2))),
        request(status=502, error_type="api_error", error="it broke", attempts=(outcome(kind="error", status=500),)),
        request(status=504, error_type="timeout", error="too slow", attempts=(outcome(kind="timeout", status=0),)),
        request(status=400, stage="attempt", attempts=(), error_type="x", error="y"),
        request(
            decision=Decision(
                "ab", (Candidate("small", 1.0),), attributes={"experiment": {"experiment_id": "e", "weight": 0.5}}
            )
        ),
        request(decision=Decision("ab", (Candidate("small", 1),), attributes={"deep": {"a": [1, None]}})),
        request(trace=None, decision_id=None),
        request(status=200, error_type="client_disconnected", error="gone"),
    ],
    ids=["fallback", "failure", "timeout", "none", "experiment", "nested", "bare", "odd"],
)
def test_every_other_case_equals_the_contract(record: Record) -> None:
    written = decision_json(record)
    assert json.loads(written) == by_contract(record)
    RouterDecisionV1.read(written)


def test_what_looks_like_a_key_is_masked_in_messages() -> None:
    record = request(
        status=401, error_type="auth", error="bad key sk-live-4f9a8b7c6d5e4f3a", attempts=(outcome(kind="error"),)
    )
    told = json.loads(decision_json(record))
    assert told["outcome"]["error_message"] == "bad key [masked]"


def test_a_score_that_is_no_number_is_null() -> None:
    record = request(decision=Decision("s", (Candidate("small", float("nan")), Candidate("b", float("inf")))))
    told = json.loads(decision_json(record))
    assert [each["score"] for each in told["candidate_deployments"]] == [None, None]

"""Heads choose as OpenTelemetry's own samplers do, so that every hop of a trace chooses alike; tails rescue."""

from __future__ import annotations

import random
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from routeiq_otel.config import Tail
from routeiq_otel.sampling import Head, Sampling
from routeiq_sdk import Record, Ruling, TraceContext

from .requests import outcome, request

DICE = random.Random(7)
UNLUCKY = "f" * 32  # no ratio below 1 keeps this trace


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.5, 0.999, 1.0])
def test_the_ratio_keeps_the_traces_that_the_sdk_keeps(ratio: float) -> None:
    theirs, ours = TraceIdRatioBased(ratio), Head(ratio, parent_based=False)
    for _ in range(500):
        trace_id = DICE.getrandbits(128)
        sampled = theirs.should_sample(None, trace_id, "x").decision == Decision.RECORD_AND_SAMPLE
        assert ours.keeps(TraceContext(f"{trace_id:032x}", "1" * 16)) is sampled


@pytest.mark.parametrize("parent", [True, False, None])
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_the_callers_choice_is_followed_as_the_sdk_follows_it(parent: bool | None, ratio: float) -> None:
    trace_id = DICE.getrandbits(128)
    context = None
    if parent is not None:
        span = SpanContext(trace_id, 1, is_remote=True, trace_flags=TraceFlags(int(parent)))
        context = set_span_in_context(NonRecordingSpan(span))
    theirs = ParentBased(TraceIdRatioBased(ratio)).should_sample(context, trace_id, "x")
    trace = TraceContext(f"{trace_id:032x}", "1" * 16, None if parent is None else "2" * 16, parent)
    assert Head(ratio).keeps(trace) is (theirs.decision == Decision.RECORD_AND_SAMPLE)


def finished(**fields: Any) -> Record:
    return request(**{"trace": TraceContext(UNLUCKY, "1" * 16), **fields})


@pytest.mark.parametrize(
    "record",
    [
        finished(status=500, error_type="x"),
        finished(attempts=(outcome(kind="timeout", status=0), outcome(2))),
        finished(rulings=(Ruling("guard_request", "g", "reject", 400),)),
        finished(latency_ms=5000.1),
        finished(cost=2_000_000_000, attempts=(outcome(cost=2_000_000_000),)),
        finished(attempts=(outcome(kind="error", cost=900_000_000), outcome(2, cost=200_000_000))),
        finished(status=503, trace=TraceContext(UNLUCKY, "1" * 16, "2" * 16, False)),
    ],
    ids=["failed", "retried", "refused", "slow", "dear", "dear altogether", "unwanted by the caller"],
)
def test_the_tail_keeps_what_is_remarkable_although_the_head_does_not(record: Record) -> None:
    tail = Tail(errors=True, slower_than_ms=5000, cost_above_usd=1.0)
    assert not Sampling(Head(0.0), None).keeps(record) or record.trace is None
    assert Sampling(Head(0.0), tail).keeps(record)


@pytest.mark.parametrize(
    "record",
    [
        finished(),
        finished(status=404, error_type="x", attempts=()),
        finished(latency_ms=5000.0),
        finished(attempts=(outcome(kind="cancelled"),)),
        finished(rulings=(Ruling("guard_request", "g", "replace"),)),
    ],
)
def test_the_tail_lets_the_usual_go(record: Record) -> None:
    tail = Tail(errors=True, slower_than_ms=5000, cost_above_usd=1.0)
    assert not Sampling(Head(1.0), tail).keeps(record)


def test_the_tail_keeps_a_share_of_the_others() -> None:
    sampling = Sampling(Head(1.0), Tail(ratio=0.25))
    records = [finished(trace=TraceContext(f"{DICE.getrandbits(128) or 1:032x}", "1" * 16)) for _ in range(2000)]
    kept = sum(sampling.keeps(record) for record in records)
    assert 400 < kept < 600


def test_without_a_tail_the_head_decides() -> None:
    assert Sampling(Head(1.0), None).keeps(finished())
    assert not Sampling(Head(0.5), None).keeps(finished())

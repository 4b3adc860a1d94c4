"""The record of a request, and the shelf that keeps the newest."""

from __future__ import annotations

import itertools

import orjson
import pytest
import structlog

from routeiq.plugins.compiled import Call
from routeiq.request.record import Records, as_json, make_record
from routeiq_sdk import Candidate, Decision, Outcome, Usage


def finished(make_ctx, request_id: str = "req-1"):
    ctx = make_ctx()
    ctx.request_id = request_id
    ctx.decision_id = "dec-" + request_id
    ctx.attempts = [
        Outcome(1, "d1", "openai", "m1", "error", 500, 3.0, dispatched=True),
        Outcome(2, "d2", "anthropic", "m2", "ok", 200, 5.0, dispatched=True, first_byte_ms=2.0),
    ]
    ctx.usage = Usage(3, 4)
    ctx.cost = 11_000
    ctx.tags = frozenset({"b", "a"})
    ctx.decide(Decision("why", (Candidate("large", 1.0),), propensity=0.25))
    return ctx


def record_of(ctx, **changes):
    how = {"status": 200, "error_type": None, "error": None, "overhead_ms": 0.5, **changes}
    return make_record(ctx, **how)


def test_a_record_says_who_asked_what_was_chosen_and_what_it_took(make_ctx) -> None:
    record = record_of(finished(make_ctx))
    assert (record.requested_model, record.model, record.deployment_id, record.provider) == (
        "asked",
        "m2",
        "d2",
        "anthropic",
    )
    assert (record.principal, record.status, record.stream, record.surface) == ("master", 200, False, "chat")
    assert (record.cost, record.usage, record.tags) == (11_000, Usage(3, 4), ("a", "b"))
    assert record.decision is not None
    assert record.decision.propensity == 0.25
    assert len(record.attempts) == 2
    assert record.first_byte_ms == 2.0


def test_a_record_of_a_request_that_was_refused_at_once_has_gaps_and_no_lies(make_ctx) -> None:
    from routeiq.request.context import RequestContext
    from routeiq_sdk.values.http import Headers

    ctx = RequestContext(
        request_id="r", surface="chat", route="/", method="POST", path="/", headers=Headers([]), client=None, config="c"
    )
    record = record_of(ctx, status=401, error_type="auth_error", error="no key")
    assert (record.requested_model, record.model, record.principal, record.usage, record.cost) == (None,) * 5
    assert (record.status, record.error_type, record.attempts) == (401, "auth_error", ())


def test_a_record_is_plain_json_with_money_as_an_integer(make_ctx) -> None:
    told = orjson.loads(orjson.dumps(as_json(record_of(finished(make_ctx)))))
    assert told["cost"] == 11_000
    assert told["attempts"][1]["kind"] == "ok"
    assert told["decision"]["candidates"][0]["model"] == "large"


@pytest.mark.parametrize("most", [1, 3])
def test_the_shelf_keeps_the_newest_and_finds_them_by_both_ids(most: int, make_ctx) -> None:
    shelf = Records(most)
    for number in range(5):
        ctx = finished(make_ctx, f"req-{number}")
        shelf.add(ctx, record_of(ctx), ())
    kept = [f"req-{number}" for number in range(4, 4 - most, -1)]
    assert [record.request_id for record in shelf.newest()] == kept
    assert [record.request_id for record in itertools.islice(shelf.newest(), 1)] == kept[:1]
    for request_id in kept:
        found = shelf.find(request_id)
        assert found is not None
        assert shelf.find("dec-" + request_id) is found
    assert shelf.find("req-0") is None


def test_a_sink_that_fails_keeps_no_other_from_its_record(make_ctx) -> None:
    taken: list[str] = []

    def broken(ctx, record) -> None:
        raise RuntimeError("full")

    sinks = [
        Call("broken", "dist", "record", broken),
        Call("good", "dist", "record", lambda ctx, record: taken.append(record.request_id)),
    ]
    shelf = Records()
    ctx = finished(make_ctx)
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            shelf.add(ctx, record_of(ctx), sinks)
    assert taken == ["req-1"] * 3
    assert (shelf.lost, sinks[0].stats.errors, sinks[1].stats.errors) == (3, 3, 0)
    assert len(lines) == 1, "a broken sink does not fill the log"

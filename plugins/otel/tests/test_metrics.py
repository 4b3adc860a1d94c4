"""Requests add up to the conventions' metrics and our own; what is exported reads back as OpenTelemetry's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from routeiq_otel.envelope import Envelope, joined
from routeiq_otel.instruments import Instruments
from routeiq_otel.measuring import Measuring
from routeiq_otel.metrics import Metrics
from routeiq_otel.outbox import Outbox
from routeiq_otel.places import Places
from routeiq_otel.settings import Temporality
from routeiq_sdk import Record, Ruling, Usage, Vitals
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.values.vitals import HookFigures

from .collector import REQUESTS, Export, Received, number, point, points, told
from .requests import outcome, request

CHAT = "/v1/chat/completions"


class Sent:
    """A way to a receiver that keeps what is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def send(self, body: bytes) -> tuple[int, str]:
        self.bodies.append(body)
        return 0, ""

    async def close(self) -> None:
        pass


class Room:
    """Metrics without a gateway around them."""

    def __init__(self, temporality: Temporality = "cumulative", most: int = 100) -> None:
        self.gateway = FakeGateway("otel")
        self.instruments = Instruments(most)
        self.measuring = Measuring(self.instruments, Places(self.gateway), most=most)
        self._sent = Sent()
        self._outbox = Outbox("metrics", self._sent, joined, most=10)
        self.lost: dict[str, int] = {}
        self._metrics = Metrics(
            self.gateway,
            self.instruments,
            Envelope({"service.name": "test"}),
            [self._outbox],
            interval_seconds=60,
            temporality=temporality,
            lost=self._losses,
        )

    def _losses(self) -> Mapping[str, int]:
        return self.lost

    def add(self, *records: Record, sampled: bool = True) -> None:
        for record in records:
            self.measuring.add(record, sampled)

    async def export(self) -> dict[str, Any]:
        self._metrics.export()
        await self._outbox.flush(5)
        body = self._sent.bodies[-1]
        return Received([Export("metrics", "", {}, body, REQUESTS["metrics"].FromString(body))]).metrics


async def test_a_request_is_counted_in_every_metric_that_it_concerns() -> None:
    room = Room()
    room.add(request(stream=True, team="red", attempts=(outcome(usage=Usage(100, 35)),)))
    found = await room.export()
    assert number(point(found["gateway.request.total"], http__route=CHAT, http__response__status_code=200)) == 1
    assert "gateway.request.error" not in found
    duration = point(found["gateway.request.duration"], http__route=CHAT)
    assert (duration.count, duration.sum) == (1, pytest.approx(0.21))
    call = {"gen_ai__provider__name": "openai", "gen_ai__request__model": "gpt-small"}
    assert point(found["gen_ai.client.operation.duration"], **call).sum == pytest.approx(0.2)
    assert point(found["gen_ai.client.token.usage"], gen_ai__token__type="input", **call).sum == 100
    assert point(found["gen_ai.client.token.usage"], gen_ai__token__type="output", **call).sum == 35
    assert point(found["gen_ai.client.operation.time_to_first_chunk"], **call).sum == pytest.approx(0.09)
    assert point(found["gen_ai.server.time_to_first_token"], **call).sum == pytest.approx(0.095)
    assert point(found["gen_ai.server.time_per_output_token"], **call).sum == pytest.approx(0.11 / 34)
    assert point(found["gen_ai.client.tokens_per_second"], **call).sum == pytest.approx(35 / 0.2)
    spent = {"routeiq__team": "red", "routeiq__model_group": "small"}
    assert number(point(found["gateway.cost.total"], **spent)) == pytest.approx(14_800e-9)
    assert point(found["gateway.cost.task"], **spent).sum == pytest.approx(14_800e-9)
    assert number(point(found["gateway.attempt.total"], routeiq__attempt__kind="ok")) == 1
    chosen = {"routeiq__strategy": "knn", "routeiq__model_group": "small"}
    assert number(point(found["gateway.routing.decision"], **chosen)) == 1
    assert point(found["gateway.routing.candidates"], routeiq__strategy="knn").sum == 2
    assert point(found["gateway.routing.duration"], routeiq__strategy="knn").sum == pytest.approx(0.0015)


async def test_a_tasks_cost_is_that_of_all_its_attempts() -> None:
    room = Room()
    bad = outcome(kind="error", status=500, group="large", cost=5_000, error_type="InternalServerError")
    room.add(request(attempts=(bad, outcome(2, cost=10_000)), cost=10_000))
    room.add(request(status=500, error_type="x", attempts=(bad,), cost=5_000, group="large"))
    found = await room.export()
    (task,) = points(found["gateway.cost.task"])
    assert (task.count, task.sum) == (1, pytest.approx(15_000e-9))
    assert sum(number(each) for each in points(found["gateway.cost.total"])) == pytest.approx(20_000e-9)
    fallback = point(found["gateway.routing.fallback"], routeiq__model_group="large", routeiq__fallback="small")
    assert told(fallback.attributes)["error.type"] == "InternalServerError"
    errors = point(found["gen_ai.client.operation.duration"], error__type="InternalServerError")
    assert errors.count == 2
    assert number(point(found["gateway.request.error"], error__type="x")) == 1


async def test_refusals_are_told_by_who_refuses() -> None:
    room = Room()
    fields: dict[str, Any] = {
        "attempts": (),
        "decision": None,
        "group": None,
        "usage": None,
        "cost": None,
        "error": "no",
    }
    budget = Ruling("reserve", "governance", "reject", 429, "budget_exceeded")
    room.add(request(status=429, stage="reserve", error_type="budget_exceeded", rulings=(budget,), **fields))
    room.add(request(status=401, stage="authenticate", error_type="auth_error", **fields))
    guard = Ruling("guard_request", "pii", "reject", 400, "policy")
    room.add(request(status=400, stage="guard", error_type="policy", rulings=(guard,), **fields))
    found = await room.export()
    denial = point(found["gateway.governance.enforcement.denial"])
    assert told(denial.attributes) == {
        "routeiq.stage": "reserve",
        "http.response.status_code": 429,
        "routeiq.ruling.reason": "budget_exceeded",
        "routeiq.plugin": "governance",
    }
    assert told(point(found["gateway.admission.refused"]).attributes)["routeiq.plugin"] == "routeiq"
    objection = point(found["gateway.guardrail.objection"], routeiq__plugin="pii", routeiq__ruling__action="reject")
    assert number(objection) == 1


async def test_histograms_hold_values_between_their_bounds() -> None:
    room = Room()
    for latency in (5.0, 10.0, 10.1, 10**9):
        room.add(request(latency_ms=latency))
    (duration,) = points((await room.export())["gateway.request.duration"])
    assert list(duration.explicit_bounds[:2]) == [0.01, 0.02]
    assert len(duration.bucket_counts) == len(duration.explicit_bounds) + 1
    assert (duration.bucket_counts[0], duration.bucket_counts[1], duration.bucket_counts[-1]) == (2, 1, 1)
    assert duration.count == 4


async def test_exemplars_lead_from_a_bucket_to_a_trace_that_was_kept() -> None:
    room = Room()
    kept, left_out = request(latency_ms=50.0), request(latency_ms=500.0)
    room.add(kept)
    room.add(left_out, sampled=False)
    (duration,) = points((await room.export())["gateway.request.duration"])
    (exemplar,) = duration.exemplars
    assert kept.trace is not None
    assert exemplar.trace_id.hex() == kept.trace.trace_id
    assert exemplar.span_id.hex() == kept.trace.span_id
    assert exemplar.as_double == pytest.approx(0.05)
    assert exemplar.time_unix_nano == kept.at
    (again,) = points((await room.export())["gateway.request.duration"])
    assert len(again.exemplars) == 0


async def test_cumulative_counts_grow_from_one_start() -> None:
    room = Room()
    start = room.gateway.clock.now_ns()
    for count in (1, 2):
        room.gateway.clock.advance(60)
        room.add(request())
        metric = (await room.export())["gateway.request.total"]
        assert metric.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        assert metric.sum.is_monotonic
        (total,) = points(metric)
        assert number(total) == count
        assert total.start_time_unix_nano == start
        assert total.time_unix_nano == room.gateway.clock.now_ns()


async def test_deltas_begin_anew_at_each_export() -> None:
    room = Room("delta")
    for _ in range(2):
        start = room.gateway.clock.now_ns()
        room.gateway.clock.advance(60)
        room.gateway.vital_signs = Vitals(shed=5)
        room.add(request(), request())
        found = await room.export()
        metric = found["gateway.request.duration"]
        assert metric.histogram.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
        (duration,) = points(metric)
        assert (duration.count, sum(duration.bucket_counts)) == (2, 2)
        assert duration.start_time_unix_nano == start
    assert number(point(found["gateway.backpressure.shed"])) == 0
    assert "gateway.request.total" not in await room.export()


async def test_label_sets_are_bounded() -> None:
    room = Room(most=10)
    for team in range(50):
        room.add(request(team=f"t{team}"))
    costs = points((await room.export())["gateway.cost.total"])
    assert len(costs) == 11
    (overflow,) = (each for each in costs if told(each.attributes) == {"otel.metric.overflow": True})
    assert number(overflow) == pytest.approx(40 * 14_800e-9)


async def test_what_nobody_serves_is_no_label() -> None:
    room = Room()
    for name in ("a", "b", "small"):
        fields: dict[str, Any] = {"attempts": (), "decision": None, "group": None, "provider": None}
        room.add(request(requested_model=name, status=404, error_type="not_found", **fields))
    found = await room.export()
    totals = points(found["gateway.request.total"])
    labels = {told(each.attributes)["gen_ai.request.model"]: number(each) for each in totals}
    assert labels == {"other": 2, "small": 1}


async def test_levels_are_read_when_they_are_exported() -> None:
    room = Room()
    room.gateway.vital_signs = Vitals(
        in_flight=3,
        most_in_flight=512,
        shed=7,
        running={"small-1": 2},
        benched={"large-1": 12.5},
        store="redis",
        store_up=False,
        events_lost=1,
        records_lost=2,
        hooks={"pii.guard_request": HookFigures(9, 0, 0.1), "otel.record": HookFigures(9, 0, 0.1)},
    )
    room.lost = {"traces": 4}
    found = await room.export()
    for name, value in {
        "gateway.request.active": 3,
        "gateway.backpressure.limit": 512,
        "gateway.backpressure.shed": 7,
        "gateway.circuit_breaker.open": 1,
    }.items():
        assert number(point(found[name])) == value, name
    assert number(point(found["gateway.attempt.active"], routeiq__deployment="small-1")) == 2
    assert number(point(found["gateway.circuit_breaker.remaining"], routeiq__deployment="large-1")) == 12.5
    (check,) = points(found["gateway.guardrail.check"])
    assert (told(check.attributes)["routeiq.plugin"], number(check)) == ("pii", 9)
    assert number(point(found["gateway.state.up"], routeiq__store="redis")) == 0
    lost = {told(each.attributes)["routeiq.what"]: number(each) for each in points(found["gateway.telemetry.lost"])}
    assert lost == {"events": 1, "records": 2, "traces": 4}

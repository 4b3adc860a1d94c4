"""The last minute: what is counted, what falls out of it, and how workers are added up."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from routeiq.telemetry.live import Live, merged
from routeiq_sdk import Candidate, Decision, Outcome, Usage
from routeiq_sdk.testing.fakes import make_record
from routeiq_sdk.testing.services import FakeClock


def added(*records: dict[str, Any]) -> tuple[Live, FakeClock]:
    clock = FakeClock()
    clock.advance(100)
    live = Live(clock)
    clock.advance(10)
    for fields in records:
        live.add(make_record(**{"group": "m", **fields}))
    return live, clock


def test_rates_are_over_the_time_that_it_ran_for() -> None:
    live, _ = added(*[{"usage": Usage(10, 30), "cost": 1_000_000}] * 20)
    told = merged([live.figures()])
    assert told["window_seconds"] == 10
    assert (told["requests_per_second"], told["tokens_per_second"]) == (2.0, 80.0)
    assert told["cost_usd_per_hour"] == pytest.approx(20 * 0.001 * 360)


def test_what_is_older_than_a_minute_is_gone() -> None:
    live, clock = added({})
    clock.advance(59)
    assert merged([live.figures()])["by_second"][0] == 1
    clock.advance(1)
    assert merged([live.figures()])["by_second"] == [0] * 60
    live.add(make_record(group="m"))
    assert live.figures()["requests"] == 1


def test_models_strategies_and_refusals_are_counted() -> None:
    decision = Decision("learned", (Candidate("m", 1.0),))
    live, _ = added({"decision": decision}, {"status": 500}, {"status": 429, "stage": "reserve", "group": None})
    told = merged([live.figures()])
    assert told["models"]["m"]["errors"] == 1
    assert told["models"]["m"]["share"] == pytest.approx(2 / 3, abs=1e-4)
    assert (told["strategies"], told["refused"], told["errors_per_second"]) == ({"learned": 1}, {"reserve": 1}, 0.2)


def streamed(first_byte_ms: float, group: str = "m", started_ms: float = 0.0) -> dict[str, Any]:
    attempt = Outcome(
        1, "d", "openai", "gpt", "ok", 200, 9e4, dispatched=True, first_byte_ms=first_byte_ms, started_ms=started_ms
    )
    return {"group": group, "stream": True, "attempts": (attempt,), "latency_ms": first_byte_ms + started_ms}


@pytest.mark.parametrize("milliseconds", [0.5, 1.0, 7.0, 120.0, 3000.0, 80_000.0])
def test_a_quantile_is_at_most_a_quarter_too_high(milliseconds: float) -> None:
    live, _ = added(*[streamed(milliseconds)] * 5)
    told = merged([live.figures()])
    for times in (told["first_token_ms"], told["latency_ms"], told["models"]["m"]["first_token_ms"]):
        assert milliseconds * 0.99 <= times["p50"] <= max(1.0, milliseconds * 1.26)


def test_a_first_token_is_waited_for_from_the_requests_arrival_on() -> None:
    live, _ = added(streamed(10.0, started_ms=1000.0))
    assert merged([live.figures()])["first_token_ms"]["p50"] > 1000


def test_a_whole_answer_has_no_first_token() -> None:
    live, _ = added({**streamed(10.0), "stream": False})
    told = merged([live.figures()])
    assert told["first_token_ms"] == {"p50": None, "p95": None}
    assert told["latency_ms"]["p95"] is not None


def test_workers_are_added_up() -> None:
    first, _ = added(streamed(10.0), {"group": "a"})
    second, _ = added(streamed(1000.0))
    told = merged([first.figures(), second.figures()])
    assert told["requests_per_second"] == 0.3
    assert list(told["models"]) == ["m", "a"]
    assert told["models"]["m"]["first_token_ms"]["p50"] < 20
    assert told["models"]["m"]["first_token_ms"]["p95"] > 900
    assert told["first_token_ms"] == told["models"]["m"]["first_token_ms"]


def test_an_idle_worker_has_figures_too() -> None:
    told = merged([Live(FakeClock()).figures()])
    assert (told["requests_per_second"], told["first_token_ms"]["p50"]) == (0.0, None)


def test_models_without_end_take_no_room_without_end() -> None:
    live, clock = added(*[{"group": f"m{number}"} for number in range(300)])
    for number in range(300):
        live.add(make_record(group="busy"))
        live.add(make_record(group=f"later{number}"))
        clock.advance(0.1)
    figures = live.figures()
    assert 200 <= len(figures["models"]) <= 201
    assert figures["models"]["busy"]["requests"] > 250
    assert sum(model["requests"] for model in figures["models"].values()) == figures["requests"] == 900


def test_figures_survive_the_way_between_workers() -> None:
    live, _ = added(streamed(10.0))
    assert merged([orjson.loads(orjson.dumps(live.figures()))]) == merged([live.figures()])


def test_calls_of_tools_are_counted_by_their_server() -> None:
    live, clock = added()
    for outcome, milliseconds in (
        ("ok", 10.0),
        ("ok", 10.0),
        ("tool_error", 900.0),
        ("timeout", 900.0),
        ("failed", 1.0),
    ):
        live.add_call("wiki", outcome, milliseconds)
    live.add_call("wiki", "refused", None)
    live.add_call("planner", "refused", None)
    told = merged([live.figures(), live.figures()])
    assert told["requests_per_second"] == 0.0
    assert list(told["tools"]) == ["wiki", "planner"]
    wiki = told["tools"]["wiki"]
    assert (wiki["calls_per_second"], wiki["errors"], wiki["refused"]) == (1.2, 6, 2)
    assert 10.0 <= wiki["duration_ms"]["p50"] <= 12.6
    assert wiki["duration_ms"]["p95"] >= 900
    assert told["tools"]["planner"]["duration_ms"] == {"p50": None, "p95": None}
    clock.advance(60)
    assert merged([live.figures()])["tools"] == {}


def test_servers_without_end_take_no_room_without_end() -> None:
    live, _ = added()
    for number in range(300):
        live.add_call(f"s{number}", "ok", 1.0)
    servers = live.figures()["servers"]
    assert 200 <= len(servers) <= 201
    assert sum(told["requests"] for told in servers.values()) == 300

"""latency-based-routing: what counts as slow, for how long, and how ties are drawn."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_routing_classic import latency
from routeiq_routing_classic.config import RoutingArgs
from routeiq_routing_classic.latency import LatencyBased
from routeiq_sdk import Deployment, ModelGroup, Outcome, Usage
from routeiq_sdk.testing import FakeGateway, make_context

GROUP = ModelGroup("m", tuple(Deployment(name, "m", "openai", "gpt", "openai") for name in ("a", "b", "c")))


def made(gateway: FakeGateway | None = None, **args: Any) -> LatencyBased:
    strategy = LatencyBased(RoutingArgs.model_validate(args), random.Random(3))
    strategy.bind(gateway or FakeGateway())
    return strategy


async def saw(
    strategy: LatencyBased,
    name: str,
    seconds: float,
    *,
    kind: str = "ok",
    tokens: int = 0,
    first: float | None = None,
) -> None:
    outcome = Outcome(
        number=1,
        deployment_id=name,
        provider="openai",
        model="gpt",
        kind=kind,
        status=200,
        latency_ms=seconds * 1000,
        first_byte_ms=first * 1000 if first is not None else None,
        usage=Usage(1, tokens) if tokens else None,
        group="m",
    )
    await strategy.after(make_context(stream=first is not None), outcome)


def taken(strategy: LatencyBased, *, stream: bool = False) -> set[str]:
    ctx = make_context(stream=stream)
    picks = (strategy.pick(ctx, GROUP, GROUP.deployments) for _ in range(60))
    return {pick.id for pick in picks if pick is not None}


async def test_the_lowest_mean_of_the_newest_is_taken() -> None:
    strategy = made(max_latency_list_size=2)
    for name, values in {"a": (9.0, 1.0, 1.0), "b": (1.0, 1.0, 2.0), "c": (0.1, 5.0, 5.0)}.items():
        for seconds in values:
            await saw(strategy, name, seconds)
    assert taken(strategy) == {"a"}


async def test_a_deployment_that_was_not_seen_is_tried_first() -> None:
    strategy = made()
    await saw(strategy, "a", 0.001)
    assert taken(strategy) == {"b", "c"}


async def test_a_latency_ends_after_its_ttl() -> None:
    gateway = FakeGateway()
    strategy = made(gateway, ttl=60)
    for name, seconds in {"a": 1.0, "b": 2.0, "c": 3.0}.items():
        await saw(strategy, name, seconds)
    gateway.clock.advance(59)
    await saw(strategy, "a", 1.0)
    assert taken(strategy) == {"a"}
    gateway.clock.advance(2)
    assert taken(strategy) == {"b", "c"}


async def test_latency_is_counted_an_output_token() -> None:
    strategy = made()
    await saw(strategy, "a", 10.0, tokens=1000)
    await saw(strategy, "b", 1.0, tokens=10)
    await saw(strategy, "c", 1.0)
    assert taken(strategy) == {"a"}


async def test_streams_compare_their_times_to_the_first_token() -> None:
    strategy = made()
    await saw(strategy, "a", 1.0, first=0.9)
    await saw(strategy, "b", 9.0, first=0.1)
    await saw(strategy, "c", 9.0, first=0.5)
    assert taken(strategy, stream=True) == {"b"}
    assert taken(strategy) == {"a"}


async def test_streams_may_compare_a_percentile() -> None:
    strategy = made(ttft_percentile=0.5)
    for first in (0.1, 0.1, 9.0):
        await saw(strategy, "a", 1.0, first=first)
    for name in ("b", "c"):
        await saw(strategy, name, 1.0, first=0.2)
    assert taken(strategy, stream=True) == {"a"}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_timeout_counts_as_very_slow_and_other_failures_do_not(stream: bool) -> None:
    strategy = made()
    for name in ("a", "b"):
        await saw(strategy, name, 1.0, first=1.0)
        await saw(strategy, name, 1.0)
    await saw(strategy, "c", 0.1, first=0.1)
    await saw(strategy, "c", 0.1, kind="timeout")
    assert taken(strategy, stream=stream) == {"a", "b"}
    await saw(strategy, "a", 900.0, kind="error")
    assert taken(strategy, stream=stream) == {"a", "b"}


async def test_the_buffer_widens_the_draw() -> None:
    for buffer, expected in ((0.0, {"a"}), (0.5, {"a", "b"}), (2.0, {"a", "b", "c"})):
        strategy = made(lowest_latency_buffer=buffer)
        for name, seconds in {"a": 1.0, "b": 1.5, "c": 3.0}.items():
            await saw(strategy, name, seconds)
        assert taken(strategy) == expected


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_MOST_KEPT", 8)
    strategy = made()
    for number in range(50):
        await saw(strategy, f"gone-{number}", 1.0)
    assert len(strategy._series) == 8


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.001, 50)), max_size=40),
    st.integers(1, 5),
    st.floats(0, 2),
)
async def test_the_one_taken_is_always_within_the_buffer_of_the_fastest(
    calls: list[tuple[str, float]], size: int, buffer: float
) -> None:
    strategy = made(max_latency_list_size=size, lowest_latency_buffer=buffer)
    values: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for name, seconds in calls:
        await saw(strategy, name, seconds)
        values[name] = [*values[name], seconds][-size:]
    means = {name: sum(kept) / len(kept) if kept else 0.0 for name, kept in values.items()}
    assert all(means[name] <= min(means.values()) * (1 + buffer) + 1e-9 for name in taken(strategy))

"""The usage strategies: the least used deployment within its limits, by the minute, and the refusal at the limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_routing_classic.cost import CostBased
from routeiq_routing_classic.strategy import Strategy
from routeiq_routing_classic.usage import UsageBased, UsageBasedV2
from routeiq_sdk import Attempt, Deployment, ModelGroup, Outcome, Reject, Usage
from routeiq_sdk.testing import FakeGateway, make_context

BOTH = pytest.mark.parametrize("kind", [UsageBased, UsageBasedV2])


def deployment(name: str, **fields: Any) -> Deployment:
    return Deployment(name, "m", "openai", "gpt", "openai", **fields)


def ready(kind: type[Strategy], gateway: FakeGateway | None = None) -> Strategy:
    strategy = kind()
    strategy.bind(gateway or FakeGateway())
    return strategy


async def call(strategy: Strategy, target: Deployment, tokens: int = 10, kind: str = "ok") -> Reject | None:
    """One whole call to `target`."""
    ctx = make_context()
    veto = await strategy.before(ctx, Attempt(1, target))
    if veto is None:
        usage = Usage(tokens, 0) if kind == "ok" else None
        await strategy.after(ctx, Outcome(1, target.id, "openai", "gpt", kind, 200, 5.0, usage=usage, group="m"))
    return veto


async def left(strategy: Strategy, *among: Deployment, text: str = "hi") -> list[str] | Reject:
    answer = await strategy.limit(make_context(text), ModelGroup("m", among), among)
    return answer if isinstance(answer, Reject) else [d.id for d in answer]


async def taken(strategy: Strategy, *among: Deployment) -> set[str]:
    found = set()
    for _ in range(30):
        ctx, group = make_context(), ModelGroup("m", among)
        answer = await strategy.limit(ctx, group, among)
        assert not isinstance(answer, Reject)
        chosen = strategy.pick(ctx, group, answer)
        assert chosen is not None
        found.add(chosen.id)
    return found


@BOTH
async def test_the_least_used_in_this_minute_is_taken(kind: type[Strategy]) -> None:
    gateway = FakeGateway()
    strategy, a, b, c = ready(kind, gateway), deployment("a"), deployment("b"), deployment("c")
    await call(strategy, a, 50)
    await call(strategy, b, 10)
    assert await taken(strategy, a, b) == {"b"}
    assert await taken(strategy, a, b, c) == {"c"}
    gateway.clock.advance(60)
    assert await taken(strategy, a, b) == {"a", "b"}


@BOTH
async def test_a_deployment_takes_as_many_requests_a_minute_as_its_rpm_says(kind: type[Strategy]) -> None:
    strategy, a, b = ready(kind), deployment("a", rpm=2), deployment("b", rpm=5)
    for _ in range(2):
        assert await left(strategy, a, b) == ["a", "b"]
        assert await call(strategy, a) is None
    assert await left(strategy, a, b) == ["b"]


@BOTH
async def test_a_prompt_that_would_pass_the_tpm_goes_elsewhere(kind: type[Strategy]) -> None:
    strategy, a, b = ready(kind), deployment("a", tpm=100), deployment("b", tpm=1000)
    await call(strategy, a, 90)
    assert await left(strategy, a, b, text="x" * 40) == ["a", "b"]
    assert await left(strategy, a, b, text="x" * 44) == ["b"]


@BOTH
async def test_at_all_limits_it_refuses_until_the_minute_is_over(kind: type[Strategy]) -> None:
    gateway = FakeGateway()
    gateway.clock.advance(60 - gateway.clock.now_ns() / 1e9 % 60 + 48)  # 48 s into a minute
    strategy, a = ready(kind, gateway), deployment("a", rpm=1)
    await call(strategy, a)
    refused = await left(strategy, a)
    assert isinstance(refused, Reject)
    assert (refused.status, refused.type, refused.retry_after) == (429, "throttling_error", 12)
    assert refused.message.startswith("No deployments available for selected model, Try again in 12 seconds")
    gateway.clock.advance(12)
    assert await left(strategy, a) == ["a"]


async def test_limits_hold_under_the_cost_strategy_too() -> None:
    strategy, a = ready(CostBased), deployment("a", rpm=1)
    await call(strategy, a)
    assert isinstance(await left(strategy, a), Reject)


async def test_v1_counts_what_succeeded_and_v2_what_was_sent() -> None:
    first, second, a = ready(UsageBased), ready(UsageBasedV2), deployment("a", rpm=1)
    for strategy in (first, second):
        await call(strategy, a, kind="error")
    assert await left(first, a) == ["a"]
    assert isinstance(await left(second, a), Reject)


async def test_v2_vetoes_a_call_that_lost_the_race_for_the_last_place() -> None:
    strategy, a = ready(UsageBasedV2), deployment("a", rpm=1)
    assert await left(strategy, a) == ["a"]
    assert await left(strategy, a) == ["a"]
    assert await call(strategy, a) is None
    lost = await call(strategy, a)
    assert lost is not None
    assert lost.status == 429


async def test_v2_shares_its_counts_and_v1_does_not() -> None:
    gateway = FakeGateway()
    a, b = deployment("a", rpm=1), deployment("b", rpm=1)
    for kind, expected in ((UsageBasedV2, ["b"]), (UsageBased, ["a", "b"])):
        one, other = ready(kind, gateway), ready(kind, gateway)
        await call(one, a)
        assert await left(other, a, b) == expected


class _BrokenState:
    async def counters(self, keys: object) -> list[int]:
        raise ConnectionError("the store is down")

    async def increment(self, *args: object, **options: object) -> int:
        raise ConnectionError("the store is down")


async def test_v2_serves_on_when_its_store_fails() -> None:
    gateway = FakeGateway()
    gateway.state = _BrokenState()  # type: ignore[assignment]
    strategy, a, b = ready(UsageBasedV2, gateway), deployment("a", rpm=1), deployment("b")
    assert await strategy.before(make_context(), Attempt(1, a)) is None
    assert await taken(strategy, a, b) == {"a", "b"}


async def test_nothing_is_kept_of_a_minute_that_is_over() -> None:
    gateway = FakeGateway()
    strategy = UsageBased()
    strategy.bind(gateway)
    for number in range(20):
        await call(strategy, deployment(f"gone-{number}"))
    gateway.clock.advance(60)
    await call(strategy, deployment("a"))
    assert list(strategy._used) == [("a", "gpt")]


@BOTH
@given(
    calls=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 40), st.sampled_from([0, 0, 25, 60])), max_size=30),
    limits=st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
async def test_in_no_minute_is_a_deployment_called_more_often_than_its_rpm(
    kind: type[Strategy], calls: list[tuple[str, int, int]], limits: tuple[int, int]
) -> None:
    gateway = FakeGateway()
    strategy = ready(kind, gateway)
    among = {name: deployment(name, rpm=rpm) for name, rpm in zip("ab", limits, strict=True)}
    made: dict[tuple[str, int], int] = {}
    for wanted, tokens, seconds in calls:
        gateway.clock.advance(seconds)
        now = gateway.clock.now_ns() // 60_000_000_000
        room = await left(strategy, *among.values())
        full = [name for name in "ab" if made.get((name, now), 0) >= limits["ab".index(name)]]
        if isinstance(room, Reject):
            assert full == ["a", "b"]
            continue
        assert not set(room) & set(full)
        target = wanted if wanted in room else room[0]
        assert await call(strategy, among[target], tokens) is None
        made[target, now] = made.get((target, now), 0) + 1

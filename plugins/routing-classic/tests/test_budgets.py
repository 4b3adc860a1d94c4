"""Budgets: what counts, when a deployment is left out, when the request is refused, and what a failing store does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_routing_classic import ClassicConfig
from routeiq_routing_classic.budgets import Budgets
from routeiq_sdk import Deployment, ModelGroup, Outcome, Price, Reject
from routeiq_sdk.testing import FakeGateway, make_context

PRICE = Price(input=1, output=1, cached=1, cache_write=1)
CENT = 10_000_000
"""Nano-USD."""


def deployment(name: str, provider: str = "openai", price: Price | None = PRICE, **info: Any) -> Deployment:
    return Deployment(name, "m", provider, f"model-{name}", "openai", price=price, info=info)


def made(gateway: FakeGateway | None = None, **limits: float) -> Budgets:
    written = {name: {"budget_limit": dollars, "time_period": "1h"} for name, dollars in limits.items()}
    budgets = Budgets(ClassicConfig.model_validate({"provider_budget_config": written}).provider_budget_config)
    budgets.gateway = gateway or FakeGateway()
    return budgets


async def spend(budgets: Budgets, target: Deployment, cost: int | None) -> None:
    outcome = Outcome(1, target.id, target.provider, target.model, "ok", 200, 5.0, cost=cost, group="m")
    await budgets.after(target, outcome)


async def left(budgets: Budgets, *among: Deployment) -> list[str] | Reject:
    answer = await budgets.filter(make_context(), ModelGroup("m", among), among)
    return answer if isinstance(answer, Reject) else [d.id for d in answer]


A, B = deployment("a"), deployment("b", "groq")


async def test_a_provider_that_spent_its_budget_is_left_out_until_the_window_is_over() -> None:
    gateway = FakeGateway()
    budgets = made(gateway, openai=0.01)
    await spend(budgets, A, CENT - 1)
    assert await left(budgets, A, B) == ["a", "b"]
    gateway.clock.advance(1800)
    await spend(budgets, A, 1)
    assert await left(budgets, A, B) == ["b"]
    gateway.clock.advance(1801)
    assert await left(budgets, A, B) == ["a", "b"]


async def test_when_all_are_spent_the_refusal_is_litellms() -> None:
    budgets = made(openai=0.01)
    await spend(budgets, A, 2 * CENT)
    refused = await left(budgets, A)
    assert isinstance(refused, Reject)
    assert (refused.status, refused.type) == (429, "budget_exceeded")
    assert refused.message == (
        "No deployments available - crossed budget: Exceeded budget for provider openai: 0.02 >= 0.01. Passed model=m"
    )


async def test_a_deployment_may_have_a_budget_of_its_own() -> None:
    own = deployment("own", max_budget="0.02", budget_duration="1d")
    budgets = made(openai=0.03)
    await spend(budgets, own, 2 * CENT)
    assert await left(budgets, own, A) == ["a"]
    await spend(budgets, A, CENT)
    assert isinstance(await left(budgets, own, A), Reject)


async def test_unpriced_and_failed_calls_cost_nothing_and_unpriced_deployments_with_a_budget_are_left_out() -> None:
    budgets = made(openai=0.01)
    await spend(budgets, A, None)
    await spend(budgets, A, 0)
    unpriced = deployment("u", price=None)
    assert await left(budgets, A, unpriced) == ["a"]
    refused = await left(budgets, unpriced)
    assert isinstance(refused, Reject)
    assert "model-u has no price" in refused.message
    assert await left(budgets, deployment("v", "groq", price=None)) == ["v"]


async def test_a_budget_of_nothing_allows_nothing() -> None:
    assert isinstance(await left(made(openai=0), A), Reject)


async def test_processes_that_share_a_store_share_a_budget() -> None:
    gateway = FakeGateway()
    one, other = made(gateway, openai=0.01), made(gateway, openai=0.01)
    await spend(one, A, CENT)
    assert isinstance(await left(other, A), Reject)


class _Failing:
    """The state of `gateway`, which fails while `down`."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._state = gateway.state
        self.down = True

    async def increment(self, key: str, by: int, *, ttl_seconds: float | None = None) -> int | None:
        if self.down:
            raise ConnectionError("the store is down")
        return await self._state.increment(key, by, ttl_seconds=ttl_seconds)

    async def counters(self, keys: Sequence[str]) -> list[int]:
        if self.down:
            raise ConnectionError("the store is down")
        return await self._state.counters(keys)


async def test_a_store_that_fails_refuses_and_forgets_no_spending() -> None:
    gateway = FakeGateway()
    store = _Failing(gateway)
    gateway.state = store  # type: ignore[assignment]
    budgets = made(gateway, openai=0.01)
    with pytest.raises(ConnectionError):
        await spend(budgets, A, CENT)
    with pytest.raises(ConnectionError):
        await left(budgets, A)
    assert await left(budgets, B) == ["b"], "a deployment without a budget needs no store"
    store.down = False
    assert await left(budgets, A, B) == ["b"]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, CENT), st.integers(0, 1500)), max_size=25),
    st.floats(0, 0.05, allow_nan=False),
)
async def test_a_call_is_let_through_exactly_while_the_window_has_money_left(
    calls: list[tuple[str, int, int]], dollars: float
) -> None:
    gateway = FakeGateway()
    budgets = made(gateway, openai=round(dollars, 9))
    limit = round(round(dollars, 9) * 1_000_000_000)
    twin = deployment("b")
    spent, ends = 0, 0.0
    for name, cost, seconds in calls:
        gateway.clock.advance(seconds)
        if gateway.clock.monotonic() >= ends:
            spent = 0
        answer = await left(budgets, A, twin)
        assert isinstance(answer, Reject) == (spent >= limit)
        if isinstance(answer, Reject):
            continue
        await spend(budgets, A if name == "a" else twin, cost)
        if cost and not spent:
            ends = gateway.clock.monotonic() + 3600
        spent += cost

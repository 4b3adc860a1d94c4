"""Which deployment each strategy takes, seen on the strategy itself."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_routing_classic.cost import CostBased
from routeiq_routing_classic.least_busy import LeastBusy
from routeiq_routing_classic.plugin import OFFERED, RoutingClassic
from routeiq_routing_classic.shuffle import SimpleShuffle
from routeiq_routing_classic.strategy import Strategy
from routeiq_sdk import Deployment, ModelGroup, Price
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.testing.strategy import OfferedStrategies


def deployment(name: str, **fields: Any) -> Deployment:
    return Deployment(name, "m", "openai", f"model-{name}", "openai", **fields)


def group(*deployments: Deployment) -> ModelGroup:
    return ModelGroup("m", deployments)


def price(input: int, output: int) -> Price:
    return Price(input=input, output=output, cached=input, cache_write=input)


def ready(strategy: Strategy, gateway: FakeGateway | None = None) -> Strategy:
    strategy.bind(gateway or FakeGateway())
    return strategy


def picked(strategy: Strategy, among: ModelGroup, **request: Any) -> str:
    chosen = strategy.pick(make_context(**request), among, among.deployments)
    assert chosen is not None
    return chosen.id


def draws(strategy: Strategy, among: ModelGroup, times: int = 400, **request: Any) -> Counter[str]:
    return Counter(picked(strategy, among, **request) for _ in range(times))


def test_least_busy_takes_the_one_with_the_fewest_calls_under_way() -> None:
    gateway = FakeGateway()
    strategy = ready(LeastBusy(random.Random(1)), gateway)
    among = group(deployment("a"), deployment("b"), deployment("c"))
    gateway.running = {"a": 2, "b": 1, "c": 3}
    assert draws(strategy, among) == {"b": 400}
    gateway.running = {"a": 2}
    assert draws(strategy, among).keys() == {"b", "c"}


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5)))
def test_least_busy_never_takes_a_busier_one(calls: dict[str, int]) -> None:
    gateway = FakeGateway()
    gateway.running = calls
    chosen = picked(ready(LeastBusy(), gateway), group(*map(deployment, "abcd")))
    assert calls.get(chosen, 0) == min(calls.get(name, 0) for name in "abcd")


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        ({"a": {"weight": 3}, "b": {"weight": 1}}, 0.75),
        ({"a": {"rpm": 900}, "b": {"rpm": 100}}, 0.9),
        ({"a": {"tpm": 10}, "b": {}}, 1.0),
        ({"a": {"weight": 1, "rpm": 1}, "b": {"weight": 1, "rpm": 99}}, 0.5),
        ({"a": {}, "b": {}}, 0.5),
    ],
)
def test_simple_shuffle_draws_by_weight_then_rpm_then_tpm(fields: dict[str, Any], share: float) -> None:
    among = group(*(deployment(name, **values) for name, values in fields.items()))
    counted = draws(ready(SimpleShuffle(random.Random(5))), among, 2000)
    assert counted["a"] / 2000 == pytest.approx(share, abs=0.05)


def test_cost_takes_the_cheapest_for_this_request_and_unpriced_ones_last() -> None:
    strategy = ready(CostBased(random.Random(2)))
    among = group(
        deployment("unpriced"), deployment("dear-answers", price=price(1, 100)), deployment("even", price=price(20, 20))
    )
    assert draws(strategy, among, text="x" * 4000, max_tokens=10) == {"dear-answers": 400}
    assert draws(strategy, among, text="x" * 40, max_tokens=1000) == {"even": 400}
    assert picked(strategy, group(deployment("unpriced"))) == "unpriced"


def test_cost_draws_among_equals() -> None:
    among = group(deployment("a", price=price(5, 5)), deployment("b", price=price(5, 5)))
    assert draws(ready(CostBased()), among).keys() == {"a", "b"}


@given(
    st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(0, 9))), min_size=1, max_size=5),
    st.integers(1, 3000),
    st.integers(1, 3000),
)
def test_no_deployment_is_cheaper_than_the_one_taken(
    rates: list[tuple[int, int] | None], length: int, answer: int
) -> None:
    among = group(*(deployment(str(n), price=price(*r) if r else None) for n, r in enumerate(rates)))
    chosen = rates[int(picked(ready(CostBased()), among, text="x" * length, max_tokens=answer))]
    tokens = -(-length // 4)
    costs = [r[0] * tokens + r[1] * answer for r in rates if r is not None]
    assert (chosen is None) == (not costs)
    if chosen is not None:
        assert chosen[0] * tokens + chosen[1] * answer == min(costs)


@pytest.mark.parametrize("name", OFFERED)
@pytest.mark.parametrize("stream", [False, True])
def test_every_strategy_takes_one_that_it_was_given(name: str, stream: bool) -> None:
    offered = OfferedStrategies()
    RoutingClassic(RoutingClassic.Config()).register_strategies(offered)  # type: ignore[arg-type]
    strategy = offered.deployments[name]
    assert isinstance(strategy, Strategy)
    strategy.bind(FakeGateway())
    among = group(*map(deployment, "abc"))
    for deployments in (among.deployments, among.deployments[1:], among.deployments[:1]):
        chosen = strategy.pick(make_context(stream=stream), among, deployments)
        assert any(chosen is one for one in deployments)

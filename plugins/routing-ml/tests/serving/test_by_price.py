"""`smallest` and `largest` rank by price alone; models without one come last in both."""

from __future__ import annotations

import pytest

from routeiq_routing_ml.serving.by_price import ByPrice
from routeiq_sdk import Deployment, ModelGroup, Price
from routeiq_sdk.testing import make_context

UNPRICED = ModelGroup("unpriced", ())


def group(name: str, rate: int, scale: int = 1) -> ModelGroup:
    return ModelGroup(name, (deployment(name, rate, scale),))


def deployment(name: str, rate: int | None, scale: int = 1) -> Deployment:
    price = None if rate is None else Price(input=rate, output=rate, cached=0, cache_write=0, scale=scale)
    return Deployment(id=name, group="g", provider="openai", model="m", wire="openai", price=price)


@pytest.mark.parametrize(
    ("dearest", "names", "word"),
    [
        (False, ["cheap", "middle", "dear", "unpriced"], "cheapest"),
        (True, ["dear", "middle", "cheap", "unpriced"], "dearest"),
    ],
)
async def test_groups_are_ranked_by_price_with_the_reason(dearest: bool, names: list[str], word: str) -> None:
    groups = [UNPRICED, group("middle", 20), group("dear", 400, scale=10), group("cheap", 100, scale=10)]
    decision = await ByPrice("x", dearest=dearest).rank(make_context(), groups)
    assert decision is not None
    assert [candidate.model for candidate in decision.candidates] == names
    scores = [candidate.score for candidate in decision.candidates]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4
    assert decision.reason == f"{names[0]} is the {word} candidate"
    assert (decision.strategy, decision.propensity) == ("x", 1.0)


@pytest.mark.parametrize("dearest", [False, True])
async def test_equal_prices_are_ordered_by_name_so_that_workers_agree(dearest: bool) -> None:
    strategy = ByPrice("x", dearest=dearest)
    for groups in ([group("b", 10), group("a", 100, scale=10)], [group("a", 100, scale=10), group("b", 10)]):
        decision = await strategy.rank(make_context(), groups)
        assert decision is not None
        assert decision.chosen.model == "a"


@pytest.mark.parametrize(("dearest", "chosen"), [(False, "b"), (True, "c")])
def test_a_deployment_is_picked_by_price_one_without_last(dearest: bool, chosen: str) -> None:
    deployments = [deployment("a", None), deployment("b", 5), deployment("c", 9), deployment("d", 9)]
    picked = ByPrice("x", dearest=dearest).pick(make_context(), UNPRICED, deployments)
    assert picked is not None
    assert picked.id == chosen
    only = ByPrice("x", dearest=dearest).pick(make_context(), UNPRICED, deployments[:1])
    assert only is not None
    assert only.id == "a"


async def test_prices_too_near_for_floats_are_told_apart() -> None:
    near = [group("a", 10**17 + 1, scale=10**17), group("b", 10**17, scale=10**17)]
    decision = await ByPrice("x", dearest=False).rank(make_context(), near)
    assert decision is not None
    assert decision.chosen.model == "b"

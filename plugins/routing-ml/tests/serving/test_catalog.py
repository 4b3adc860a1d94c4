"""Models are found under the names the gateway knows them by, and prices are all of today or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.serving.catalog import Names, live_costs
from routeiq_sdk import Deployment, Price
from routeiq_sdk.testing import make_groups

POOL = ("small", "medium", "large")


def deployment(**fields: Any) -> Deployment:
    return Deployment(**{"id": "d1", "group": "g", "provider": "openai", "model": "m", "wire": "openai", **fields})


def test_groups_are_found_by_their_own_names_without_a_map() -> None:
    assert Names({}).columns_of_groups(POOL, make_groups("large", "stranger", "small")) == [2, None, 0]


def test_the_operators_map_goes_before_equal_names() -> None:
    names = Names({"small": "public", "medium": "large"})
    assert names.columns_of_groups(("small", "medium"), make_groups("public", "large", "small")) == [0, 1, None]
    assert names.gateway_name("small") == "public"
    assert names.gateway_name("unknown") == "unknown"


@pytest.mark.parametrize(
    "found",
    [
        deployment(id="medium"),
        deployment(provider="azure", model="medium"),
        deployment(model="eu-deployment-4", info={"base_model": "medium"}),
    ],
)
def test_a_deployment_is_found_by_id_model_or_base_model(found: Deployment) -> None:
    assert Names({}).columns_of_deployments(POOL, [found]) == [1]


def test_a_deployment_is_found_by_provider_and_model() -> None:
    names = Names({"large": "azure/gpt-x"})
    here, elsewhere = (deployment(provider=provider, model="gpt-x") for provider in ("azure", "openai"))
    assert names.columns_of_deployments(POOL, [here, elsewhere]) == [2, None]


def test_the_more_exact_name_counts() -> None:
    both = deployment(id="small", provider="openai", model="medium", info={"base_model": "large"})
    assert Names({}).columns_of_deployments(POOL, [both]) == [0]
    assert Names({"small": "x"}).columns_of_deployments(POOL, [both]) == [1]
    assert Names({"large": "openai/medium"}).columns_of_deployments(POOL, [deployment(model="medium")]) == [2]


@pytest.mark.parametrize("base", [None, 5, ["medium"], {"a": 1}])
def test_a_base_model_that_is_no_name_is_passed_over(base: Any) -> None:
    assert Names({}).columns_of_deployments(POOL, [deployment(info={"base_model": base})]) == [None]


def price(rate: int, scale: int = 1) -> Price:
    return Price(input=rate, output=4 * rate, cached=0, cache_write=0, scale=scale)


def test_costs_are_dollars_for_the_expected_tokens() -> None:
    told = live_costs([price(100), price(1000, scale=10)], 1000.4, np.array([50.0, 99.6]))
    assert told is not None
    np.testing.assert_allclose(told, [(1000 * 100 + 50 * 400) * 1e-9, (1000 * 100 + 100 * 400) * 1e-9])


@pytest.mark.parametrize("prices", [[price(1), None], [None, None], [None, price(1)]])
def test_one_model_without_a_price_leaves_all_without(prices: list[Price | None]) -> None:
    assert live_costs(prices, 10, np.array([1.0, 1.0])) is None


def test_a_price_by_the_request_counts_too() -> None:
    told = live_costs([Price(0, 0, 0, 0, per_request=5000)], 10, np.array([1.0]))
    assert told is not None
    np.testing.assert_allclose(told, [5e-6])

"""Whose word counts on quality and cost: the client's, then its key's, its team's, the attribute's, the operator's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routeiq_routing_ml.config import MlConfig
from routeiq_routing_ml.serving.wishes import PROFILES, Wish, check_client, wish_of
from routeiq_sdk import RequestError
from routeiq_sdk.testing import make_context
from routeiq_sdk.values.principal import Principal

CONFIG = MlConfig.model_validate(
    {"profile": "balanced", "profiles": {"keys": {"key-1": "economy", "ci": "floor"}, "teams": {"research": "quality"}}}
)
EVERYTHING = Principal("key-1", alias="ci", team="research", attributes={"routing_profile": "floor"})


def wish(principal: Principal | None = None, config: MlConfig = CONFIG, **request: Any) -> Wish:
    return wish_of(make_context(principal=principal, **request), config)


def test_each_word_goes_before_the_next() -> None:
    told = wish(EVERYTHING, headers={"x-routeiq-lambda": "3"}, routeiq={"profile": "quality"})
    assert told == Wish("own", 3.0, "client")
    assert wish(EVERYTHING, routeiq={"profile": "quality"}) == Wish("quality", None, "client")
    assert wish(EVERYTHING) == Wish("economy", None, "key")
    assert wish(Principal("other", alias="ci", team="research")) == Wish("floor", None, "key")
    assert wish(Principal("x", team="research", attributes={"routing_profile": "floor"})) == Wish(
        "quality", None, "team"
    )
    assert wish(Principal("x", team="sales", attributes={"routing_profile": "floor"})) == Wish("floor", None, "key")
    assert wish(Principal("x", team="sales")) == Wish("balanced", None, "default")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("place", ["header", "body"])
def test_a_client_names_its_profile_in_a_header_or_in_the_body(profile: str, place: str) -> None:
    request: dict[str, Any] = (
        {"headers": {"X-RouteIQ-Profile": profile}} if place == "header" else {"routeiq": {"profile": profile}}
    )
    assert wish(EVERYTHING, **request) == Wish(profile, None, "client")


def test_a_header_goes_before_the_body_and_a_weight_before_a_profile() -> None:
    both = {"headers": {"x-routeiq-profile": "floor"}, "routeiq": {"profile": "economy"}}
    assert wish(**both).profile == "floor"
    assert wish(headers={"x-routeiq-lambda": "2"}, routeiq={"lambda": 9}).weight == 2.0
    assert wish(headers={"x-routeiq-profile": "floor"}, routeiq={"lambda": 9}) == Wish("own", 9.0, "client")


@pytest.mark.parametrize(
    ("told", "weight"), [(0, 0.0), (2.5, 2.5), ("1e3", 1000.0), (999_999_999_999, 999_999_999_999)]
)
def test_a_weight_is_any_number_of_at_least_zero(told: Any, weight: float) -> None:
    assert wish(routeiq={"lambda": told}).weight == weight


BAD_WEIGHTS = [-1, -1e-9, 1e12, "much", "", True, False, [], {}, [1], float("nan"), float("inf"), "nan", "inf", 10**400]


@pytest.mark.parametrize("told", BAD_WEIGHTS)
def test_a_weight_that_is_none_is_the_clients_mistake(told: Any) -> None:
    with pytest.raises(RequestError, match="lambda is quality a US dollar") as refused:
        wish(routeiq={"lambda": told})
    assert refused.value.status == 400


def test_a_number_of_json_that_no_float_can_hold_is_the_clients_mistake() -> None:
    body = json.loads('{"lambda": 1' + "0" * 400 + "}")
    with pytest.raises(RequestError, match="lambda"):
        wish(routeiq=body)


@pytest.mark.parametrize("told", ["-1", "nan", "inf", "1e400", "x", "1;2", "\xe9"])
def test_a_bad_weight_in_a_header_is_the_clients_mistake(told: str) -> None:
    with pytest.raises(RequestError, match="lambda"):
        wish(headers={"x-routeiq-lambda": told})


@pytest.mark.parametrize("told", ["cheap", "Quality", "quality ", 5, True, [], ["quality"], {"a": 1}, "x" * 5000])
def test_a_profile_that_there_is_not_is_the_clients_mistake_and_those_there_are_are_named(told: Any) -> None:
    with pytest.raises(RequestError, match="quality, balanced, economy, floor") as refused:
        wish(routeiq={"profile": told})
    assert refused.value.status == 400
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("told", [None, "economy", 5, [], {"profile": None}, {"lambda": None}, {"other": 1}])
def test_a_field_without_a_wish_leaves_the_word_to_the_next(told: Any) -> None:
    assert wish(routeiq=told) == Wish("balanced", None, "default")


@pytest.mark.parametrize("told", ["cheap", None, 5, [], {}])
def test_an_attribute_that_is_no_profile_is_passed_over(told: Any) -> None:
    assert wish(Principal("x", attributes={"routing_profile": told})) == Wish("balanced", None, "default")


def test_where_clients_may_not_say_their_word_is_not_heard_right_or_wrong() -> None:
    closed = MlConfig(client_profile=False)
    for routeiq in ({"profile": "floor"}, {"profile": "nonsense"}, {"lambda": -1}):
        assert wish(config=closed, routeiq=routeiq) == Wish("quality", None, "default")
        check_client(make_context(routeiq=routeiq), closed)


def test_a_bad_wish_is_refused_before_any_strategy_is_asked() -> None:
    check_client(make_context(routeiq={"profile": "floor"}), CONFIG)
    check_client(make_context(), CONFIG)
    with pytest.raises(RequestError, match="no routing profile 'cheap'"):
        check_client(make_context(routeiq={"profile": "cheap"}), CONFIG)

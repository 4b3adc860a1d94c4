"""What one request may do: whose word counts for retries, timeouts and fallbacks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.errors import Errors
from routeiq.request.plan import MOCKS, RoutingRules, make_plan
from routeiq_sdk import Principal, RequestError
from routeiq_sdk.testing.fakes import make_groups

GROUPS = make_groups("small", "large")
ERRORS = Errors("1.109")


@pytest.fixture
def plan(make_ctx, make_body):
    def make(
        rules: RoutingRules | None = None,
        headers: dict[str, str] | None = None,
        principal: Any = "admin",
        **fields: Any,
    ):
        body = make_body(**fields)
        who = Principal("master", kind="admin") if principal == "admin" else principal
        return make_plan(make_ctx(headers, who, body), body, GROUPS, rules or RoutingRules(), ERRORS)

    return make


@pytest.mark.parametrize(
    ("headers", "fields", "retries"),
    [
        ({}, {}, 2),
        ({}, {"num_retries": 0}, 0),
        ({"x-litellm-num-retries": "4"}, {"num_retries": 1}, 4),
        ({}, {"router_settings_override": {"num_retries": 3}}, 3),
        ({}, {"num_retries": 1, "router_settings_override": {"num_retries": 3}}, 1),
        ({}, {"num_retries": None}, 2),
        ({}, {"num_retries": 1000}, 10),
    ],
)
def test_the_header_then_the_field_then_the_override_then_the_router_say_how_often(
    plan, headers: dict, fields: dict, retries: int
) -> None:
    assert plan(headers=headers, **fields).num_retries == retries


@pytest.mark.parametrize(
    ("group", "failure", "retries"),
    [
        ("small", "RateLimitError", 5),
        ("small", "Timeout", 2),
        ("large", "RateLimitError", 1),
        ("large", "InternalServerError", 2),
        ("large", "UnheardOf", 2),
    ],
)
def test_retries_by_class_of_failure_and_by_group(plan, group: str, failure: str, retries: int) -> None:
    rules = RoutingRules(
        retry_policy={"RateLimitErrorRetries": 1},
        model_group_retry_policy={"small": {"RateLimitErrorRetries": 5}},
    )
    assert plan(rules).retries(group, failure) == retries


@pytest.mark.parametrize(
    ("headers", "fields", "deployment", "stream", "seconds"),
    [
        ({}, {}, (None, None), False, 600),
        ({}, {}, (20, None), False, 20),
        ({}, {"timeout": 3}, (20, None), False, 3),
        ({"x-litellm-timeout": "1.5"}, {"timeout": 3}, (20, None), False, 1.5),
        ({}, {}, (20, None), True, 60),
        ({}, {}, (20, 7), True, 7),
        ({}, {"stream_timeout": 2}, (20, 7), True, 2),
        ({"x-litellm-stream-timeout": "1"}, {}, (20, 7), True, 1),
        ({}, {"stream_timeout": 2}, (20, 7), False, 20),
    ],
)
def test_the_client_then_the_deployment_then_the_router_say_how_long(
    plan, headers: dict, fields: dict, deployment: tuple, stream: bool, seconds: float
) -> None:
    rules = RoutingRules(timeout=600, stream_timeout=60)
    assert plan(rules, headers, **fields).timeout(*deployment, stream) == seconds


RULES = RoutingRules(
    fallbacks={"small": ["large"], "*": ["any"]},
    context_window_fallbacks={"small": ["long"]},
    content_policy_fallbacks={"small": ["mild"]},
    default_fallbacks=["last"],
)


@pytest.mark.parametrize(
    ("rules", "fields", "group", "failure", "targets"),
    [
        (RULES, {}, "small", "Timeout", ["large"]),
        (RULES, {}, "other", "Timeout", ["any"]),
        (RULES, {}, "small", "ContextWindowExceededError", ["long"]),
        (RULES, {}, "small", "ContentPolicyViolationError", ["mild"]),
        (RULES, {}, "other", "ContextWindowExceededError", ["any"]),
        (RULES, {"fallbacks": ["mine"]}, "small", "Timeout", ["mine"]),
        (RULES, {"fallbacks": ["mine"]}, "small", "ContextWindowExceededError", ["long"]),
        (RULES, {"fallbacks": []}, "small", "Timeout", ["large"]),
        (RoutingRules(default_fallbacks=["last"]), {}, "small", "Timeout", ["last"]),
        (RoutingRules(), {}, "small", "Timeout", []),
        (RULES, {"router_settings_override": {"fallbacks": [{"small": ["told"]}]}}, "small", "Timeout", ["told"]),
        (RULES, {"fallbacks": [{"model": "m", "temperature": 0}]}, "small", "", [{"model": "m", "temperature": 0}]),
    ],
)
def test_where_to_go_after_a_failure(
    plan, rules: RoutingRules, fields: dict, group: str, failure: str, targets: list
) -> None:
    assert list(plan(rules, **fields).fallbacks(group, failure)) == targets


@pytest.mark.parametrize(
    ("headers", "fields", "param"),
    [
        ({}, {"num_retries": "x"}, "num_retries"),
        ({}, {"num_retries": True}, "num_retries"),
        ({}, {"num_retries": -1}, "num_retries"),
        ({}, {"timeout": [1]}, "timeout"),
        ({}, {"timeout": -0.5}, "timeout"),
        ({"x-litellm-timeout": "soon"}, {}, "x-litellm-timeout"),
        ({"x-litellm-timeout": "inf"}, {}, "x-litellm-timeout"),
        ({"x-litellm-timeout": "nan"}, {}, "x-litellm-timeout"),
        ({}, {"fallbacks": "large"}, "fallbacks"),
        ({}, {"fallbacks": [1]}, "fallbacks"),
        ({}, {"router_settings_override": []}, "router_settings_override"),
        ({}, {"router_settings_override": {"num_retries": "many"}}, "router_settings_override.num_retries"),
        (
            {},
            {"router_settings_override": {"num_retries": None, "fallbacks": [1]}},
            "router_settings_override.fallbacks",
        ),
        ({}, {"router_settings_override": {"fallbacks": {"small": 1}}}, "router_settings_override.fallbacks"),
    ],
)
def test_wrong_types_are_the_clients_error_and_named(plan, headers: dict, fields: dict, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        plan(headers=headers, **fields)
    assert (caught.value.status, caught.value.param) == (400, param)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["fallbacks", "model", "a"]), inner),
    max_leaves=6,
)


@given(
    value=JSON,
    name=st.sampled_from(["num_retries", "timeout", "fallbacks", "router_settings_override", "mock_timeout"]),
)
def test_no_value_of_a_gateway_field_breaks_the_plan(value: Any, name: str) -> None:
    from routeiq.request.context import RequestContext
    from routeiq.wires.body import Body, as_raw
    from routeiq_sdk.values.http import Headers

    body = Body("openai-chat", {name: as_raw(value)}, "small", False)
    ctx = RequestContext(
        request_id="r", surface="chat", route="", method="", path="", headers=Headers([]), client=None, config=""
    )
    try:
        plan = make_plan(ctx, body, GROUPS, RULES, ERRORS)
    except RequestError as error:
        refused = error.status
    else:
        plan.fallbacks("small", "Timeout")
        plan.retries("small", "Timeout")
        refused = 400
    assert refused == 400


@pytest.mark.parametrize("switch", MOCKS)
def test_mock_switches_are_for_admins_unless_the_operator_says_otherwise(plan, switch: str) -> None:
    key = Principal("key")
    assert plan(**{switch: True}).mock == MOCKS[switch]
    assert plan(principal=key, **{switch: True}).mock is None
    assert plan(RoutingRules(mock_for_all=True), principal=key, **{switch: True}).mock == MOCKS[switch]
    assert plan(**{switch: False}).mock is None


def test_a_canned_answer_is_a_mock_too(plan) -> None:
    assert plan(mock_response="hello").mock_response == "hello"
    assert plan(principal=Principal("key"), mock_response="hello").mock_response is None
    assert plan(mock_timeout=True).mock == "Timeout"

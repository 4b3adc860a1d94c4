"""Which configurations are taken and which are refused, and how long a window lasts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from routeiq_routing_classic import ClassicConfig, RoutingClassic
from routeiq_routing_classic.config import RoutingArgs
from routeiq_routing_classic.durations import checked, seconds_from
from routeiq_sdk import Deployment, FromLitellm, ModelGroup, PluginError, Price
from routeiq_sdk.testing import FakeGateway, running

FREE = Price(input=0, output=0, cached=0, cache_write=0)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def row(**fields: Any) -> ModelGroup:
    return ModelGroup("m", (Deployment("a", "m", "openai", "gpt", "openai", **fields),))


def test_every_field_is_filled_from_router_settings() -> None:
    for name, field in ClassicConfig.model_fields.items():
        marks = [mark for mark in field.metadata if isinstance(mark, FromLitellm)]
        assert [mark.key for mark in marks] == [f"router_settings.{name}"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"routing_strategy_args": {"ttl": 0}}, "ttl"),
        ({"routing_strategy_args": {"lowest_latency_bufer": 1}}, "lowest_latency_bufer"),
        ({"routing_strategy_args": {"ttft_percentile": 1.5}}, "ttft_percentile"),
        ({"routing_groups": [{"group_name": "g", "models": ["a"], "routing_strategy": "fastest"}]}, "least-busy"),
        ({"routing_groups": [{"group_name": "g", "models": [], "routing_strategy": "least-busy"}]}, "models"),
        (
            {
                "routing_groups": [
                    {"group_name": "g", "models": ["a", "b"], "routing_strategy": "least-busy"},
                    {"group_name": "h", "models": ["b"], "routing_strategy": "simple-shuffle"},
                ]
            },
            "more than one strategy: b",
        ),
        ({"enable_tag_filtering": "perhaps"}, "enable_tag_filtering"),
        ({"optional_pre_call_checks": ["encrypted_content_affinity"]}, "prompt_caching"),
        ({"model_group_affinity_config": {"m": ["stickiness"]}}, "session_affinity"),
        ({"deployment_affinity_ttl_seconds": 0}, "deployment_affinity_ttl_seconds"),
        ({"provider_budget_config": {"openai": {"budget_limit": -1, "time_period": "1d"}}}, "budget_limit"),
        ({"provider_budget_config": {"openai": {"budget_limit": 1, "time_period": "1y"}}}, "not a length of time"),
        ({"provider_budget_config": {"openai": {"budget_limit": 1}}}, "time_period"),
        ({"provider_budget_config": {"openai": {"budget_limit": 1, "time_period": "1d", "rpm_limit": 3}}}, "rpm_limit"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(config: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ClassicConfig.model_validate(config)


def test_a_budget_may_have_litellms_older_names() -> None:
    old, new = (
        ClassicConfig.model_validate({"provider_budget_config": {"openai": budget}}).provider_budget_config
        for budget in ({"max_budget": 0.01, "budget_duration": "1d"}, {"budget_limit": 0.01, "time_period": "1d"})
    )
    assert old == new


@pytest.mark.parametrize(
    ("start", "duration", "seconds"),
    [
        ("2026-01-01", "30s", 30),
        ("2026-01-01", "5m", 300),
        ("2026-01-01", "daily", 86_400),
        ("2026-01-01", "2w", 1_209_600),
        ("2026-02-10", "1mo", 28 * 86_400),
        ("2026-01-31", "1mo", 28 * 86_400),
        ("2027-12-15", "2mo", 62 * 86_400),
    ],
)
def test_a_window_has_the_length_that_is_written(start: str, duration: str, seconds: int) -> None:
    assert seconds_from(at(start), duration) == seconds


@given(st.text(max_size=6))
def test_what_is_no_length_of_time_is_refused_and_what_is_lasts(text: str) -> None:
    try:
        checked(text)
    except ValueError:
        return
    assert seconds_from(at("2026-11-25"), text) > 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"info": {"tag_regex": ["(unclosed"]}}, r"the row of m \(openai/gpt\): tag_regex: not a regular expression"),
        ({"info": {"tag_regex": 3}}, "should be a list of regular expressions"),
        ({"info": {"max_budget": 1}}, "write both or neither"),
        ({"info": {"max_budget": "much", "budget_duration": "1d"}}, "should be a number of US dollars"),
        ({"info": {"max_budget": -1, "budget_duration": "1d"}}, "not negative"),
        ({"info": {"max_budget": 1, "budget_duration": "soon"}}, "budget_duration: not a length of time"),
        ({"info": {"max_budget": 1, "budget_duration": "1d"}}, "without a price: m"),
    ],
)
async def test_a_row_that_cannot_work_stops_the_start(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(PluginError, match=told):
        async with running(RoutingClassic(ClassicConfig()), FakeGateway("routing-classic", groups=[row(**fields)])):
            pass


@pytest.mark.parametrize(
    "config",
    [{"routing_strategy": "provider-budget-routing"}, {"optional_pre_call_checks": ["router_budget_limiting"]}],
)
async def test_asking_for_budgets_without_one_stops_the_start(config: dict[str, Any]) -> None:
    plugin = RoutingClassic(ClassicConfig.model_validate(config))
    with pytest.raises(PluginError, match="none is written"):
        async with running(plugin, FakeGateway("routing-classic", groups=[row(price=FREE)])):
            pass
    of_a_row = row(price=FREE, info={"max_budget": 1, "budget_duration": "1d"})
    async with running(plugin, FakeGateway("routing-classic", groups=[of_a_row])):
        pass


def test_options_of_another_plugins_strategy_are_not_judged_here() -> None:
    config = ClassicConfig(routing_strategy="llmrouter-knn", routing_strategy_args={"model_path": "./router"})
    assert config.routing_strategy_args == RoutingArgs()

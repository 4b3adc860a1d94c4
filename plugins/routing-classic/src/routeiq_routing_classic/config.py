"""The keys of `router_settings` that this plugin serves, strictly typed. Their values come from the LiteLLM section.

What a key does is written in the module of its subject.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, AliasChoices, Field, StringConstraints, field_validator, model_validator

from routeiq_routing_classic.durations import checked
from routeiq_sdk import FromLitellm, PluginConfig

Name = Annotated[str, StringConstraints(min_length=1)]
Duration = Annotated[str, AfterValidator(checked)]
StrategyName = Literal[
    "simple-shuffle",
    "least-busy",
    "usage-based-routing",
    "usage-based-routing-v2",
    "latency-based-routing",
    "cost-based-routing",
    "provider-budget-routing",
]
_OURS = get_args(StrategyName)
Check = Literal[
    "prompt_caching",
    "deployment_affinity",
    "session_affinity",
    "router_budget_limiting",
    "enforce_model_rate_limits",
]
AffinityCheck = Literal["deployment_affinity", "session_affinity"]


class RoutingArgs(PluginConfig):
    """Options of a strategy. Those of latency-based-routing have an effect there alone."""

    ttl: Annotated[float, Field(gt=0)] = Field(
        3600.0, description="Seconds a latency counts. The usage strategies count in minutes of the clock instead."
    )
    lowest_latency_buffer: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="Share by which a deployment may be slower than the fastest and still be drawn; 0.5 is half again.",
    )
    max_latency_list_size: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="How many of the newest latencies of a deployment count."
    )
    ttft_percentile: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="For streams: this percentile of the times to the first token instead of their mean."
    )


class RoutingGroup(PluginConfig):
    """Models whose deployments are chosen by a strategy of their own."""

    group_name: Name = Field(description="What the group is called; for people.")
    models: tuple[Name, ...] = Field(min_length=1, description="Names of model groups (`model_name`).")
    routing_strategy: StrategyName = Field(description="How a deployment of these models is chosen.")
    routing_strategy_args: RoutingArgs = Field(RoutingArgs(), description="Options of that strategy.")


class Budget(PluginConfig):
    """What may be spent in a window of time. LiteLLM's older names of the keys are taken, too."""

    budget_limit: Annotated[Decimal, Field(ge=0, le=1_000_000_000)] = Field(
        validation_alias=AliasChoices("budget_limit", "max_budget"),
        description="US dollars a window. 0 allows nothing.",
    )
    time_period: Duration = Field(
        validation_alias=AliasChoices("time_period", "budget_duration"),
        description="Length of the window, such as 1d; it begins with the first spending.",
    )


class ClassicConfig(PluginConfig):
    """All fields are written in `router_settings`; the plugin's own block is empty."""

    routing_strategy: Annotated[Name, FromLitellm("router_settings.routing_strategy")] = Field(
        "simple-shuffle", description="How a deployment of a model is chosen; other plugins may offer more names."
    )
    routing_strategy_args: Annotated[RoutingArgs, FromLitellm("router_settings.routing_strategy_args")] = Field(
        RoutingArgs(), description="Options of the strategy."
    )
    routing_groups: Annotated[tuple[RoutingGroup, ...], FromLitellm("router_settings.routing_groups")] = Field(
        (), description="A strategy by group of models; the other models have `routing_strategy`."
    )
    enable_pre_call_checks: Annotated[bool, FromLitellm("router_settings.enable_pre_call_checks")] = Field(
        False, description="Whether deployments whose context window is too small for a prompt are left out."
    )
    optional_pre_call_checks: Annotated[tuple[Check, ...], FromLitellm("router_settings.optional_pre_call_checks")] = (
        Field((), description="Affinities and budgets that are looked at before a deployment is chosen.")
    )
    enable_tag_filtering: Annotated[bool, FromLitellm("router_settings.enable_tag_filtering")] = Field(
        False, description="Whether tags of a request filter deployments."
    )
    tag_filtering_match_any: Annotated[bool, FromLitellm("router_settings.tag_filtering_match_any")] = Field(
        True, description="Whether one tag in common suffices; otherwise a deployment needs all tags of the request."
    )
    tag_routing_prefix: Annotated[str, FromLitellm("router_settings.tag_routing_prefix")] = Field(
        "", description="With a prefix, only tags of the request that carry it route, and those of the key."
    )
    provider_budget_config: Annotated[Mapping[Name, Budget], FromLitellm("router_settings.provider_budget_config")] = (
        Field(default_factory=dict, description="Budgets by provider.")
    )
    deployment_affinity_ttl_seconds: Annotated[
        float, FromLitellm("router_settings.deployment_affinity_ttl_seconds")
    ] = Field(3600.0, gt=0, description="Seconds after its last call that a key or session stays on its deployment.")
    model_group_affinity_config: Annotated[
        Mapping[Name, tuple[AffinityCheck, ...]], FromLitellm("router_settings.model_group_affinity_config")
    ] = Field(default_factory=dict, description="Affinities by model; they replace `optional_pre_call_checks` there.")
    enable_weighted_failover: Annotated[bool, FromLitellm("router_settings.enable_weighted_failover")] = Field(
        False, description="Accepted: a retry always draws among the deployments that were not tried yet."
    )

    @model_validator(mode="before")
    @classmethod
    def _options_of_others_are_theirs(cls, written: Any) -> Any:
        """The strategy of another plugin has options that this one cannot judge."""
        if isinstance(written, Mapping) and written.get("routing_strategy", _OURS[0]) not in _OURS:
            return {name: value for name, value in written.items() if name != "routing_strategy_args"}
        return written

    @field_validator("routing_groups")
    @classmethod
    def _one_strategy_a_model(cls, groups: tuple[RoutingGroup, ...]) -> tuple[RoutingGroup, ...]:
        named = Counter(model for group in groups for model in group.models)
        twice = sorted(model for model, times in named.items() if times > 1)
        if twice:
            raise ValueError(f"these models have more than one strategy: {', '.join(twice)}")
        return groups

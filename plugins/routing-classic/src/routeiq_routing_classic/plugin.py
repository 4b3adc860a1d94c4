"""The plugin: which strategy is in charge of a model, and which filters are asked in which order.

What strategies and filters do is in the modules of their subjects.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from routeiq_routing_classic import rows
from routeiq_routing_classic.affinity import Affinity
from routeiq_routing_classic.budgets import Budgets
from routeiq_routing_classic.config import ClassicConfig, RoutingArgs
from routeiq_routing_classic.context_window import large_enough
from routeiq_routing_classic.cost import CostBased
from routeiq_routing_classic.latency import LatencyBased
from routeiq_routing_classic.least_busy import LeastBusy
from routeiq_routing_classic.shuffle import SimpleShuffle
from routeiq_routing_classic.strategy import Strategy
from routeiq_routing_classic.tags import TagRouting
from routeiq_routing_classic.usage import UsageBased, UsageBasedV2
from routeiq_sdk import (
    Attempt,
    Context,
    Deployment,
    Gateway,
    ModelGroup,
    Need,
    Outcome,
    Plugin,
    PluginError,
    Reject,
    hookimpl,
)
from routeiq_sdk.gateway import Strategies

log = logging.getLogger(__name__)

_CORE_STRATEGY = "simple-shuffle"
_PLAIN: dict[str, type[Strategy]] = {
    _CORE_STRATEGY: SimpleShuffle,
    "least-busy": LeastBusy,
    "usage-based-routing": UsageBased,
    "usage-based-routing-v2": UsageBasedV2,
    "cost-based-routing": CostBased,
    "provider-budget-routing": SimpleShuffle,
}
_LATENCY = "latency-based-routing"
OFFERED = (*(name for name in _PLAIN if name != _CORE_STRATEGY), _LATENCY)
"""Names that `router_settings.routing_strategy` may have with this plugin, beside the core's own."""


class RoutingClassic(Plugin[ClassicConfig]):
    """LiteLLM's load balancing: strategies, tags, context windows, affinity and provider budgets."""

    needs = frozenset({Need.READS_BODY})

    def __init__(self, config: ClassicConfig) -> None:
        super().__init__(config)
        self._offered = {name: _make(name, config.routing_strategy_args) for name in OFFERED}
        self._default = self._offered.get(config.routing_strategy)
        self._by_model: dict[str, Strategy] = {}
        for named in config.routing_groups:
            strategy = _make(named.routing_strategy, named.routing_strategy_args)
            self._by_model.update(dict.fromkeys(named.models, strategy))
        self._tags = TagRouting(
            enabled=config.enable_tag_filtering,
            match_any=config.tag_filtering_match_any,
            prefix=config.tag_routing_prefix,
        )
        self._budgets = Budgets(config.provider_budget_config)
        self._affinity = Affinity(
            config.optional_pre_call_checks,
            config.model_group_affinity_config,
            config.deployment_affinity_ttl_seconds,
        )

    @hookimpl
    def register_strategies(self, strategies: Strategies) -> None:
        for name, strategy in self._offered.items():
            strategies.add_deployment_strategy(name, strategy)

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        for part in (*self._offered.values(), *self._by_model.values()):
            part.bind(gateway)
        self._budgets.gateway = self._affinity.gateway = gateway
        self._check_rows(gateway)
        unknown = sorted({*self._by_model, *self.config.model_group_affinity_config} - gateway.groups.keys())
        if unknown:
            log.warning("router_settings names models that no row of model_list names: %s", ", ".join(unknown))

    @hookimpl
    async def filter_deployments(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Sequence[Deployment] | Reject | None:
        left = self._tags.filter(ctx, group, deployments)
        if self.config.enable_pre_call_checks and not isinstance(left, Reject):
            left = large_enough(ctx, group, left)
        if not isinstance(left, Reject):
            left = await self._budgets.filter(ctx, group, left)
        strategy = self._in_charge(group.name)
        if strategy is not None and not isinstance(left, Reject):
            left = await strategy.limit(ctx, group, left)
        if not isinstance(left, Reject):
            await self._affinity.find(ctx, group)
        return left

    @hookimpl
    def select_deployment(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Deployment | None:
        preferred = self._affinity.preferred(ctx, group, deployments)
        if preferred is not None:
            return preferred
        strategy = self._by_model.get(group.name)
        return strategy.pick(ctx, group, deployments) if strategy is not None else None

    @hookimpl
    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        strategy = self._in_charge(attempt.deployment.group)
        veto = await strategy.before(ctx, attempt) if strategy is not None else None
        if veto is None:
            if self._budgets.of(attempt.deployment):
                ctx.keep((self, attempt.number), attempt.deployment)
            await self._affinity.before(ctx, attempt)
        return veto

    @hookimpl
    async def after_attempt(self, ctx: Context, outcome: Outcome) -> None:
        strategy = self._in_charge(outcome.group)
        try:
            if strategy is not None:
                await strategy.after(ctx, outcome)
        finally:
            deployment = ctx.kept((self, outcome.number), Deployment)
            if deployment is not None:
                await self._budgets.after(deployment, outcome)

    def _in_charge(self, model: str) -> Strategy | None:
        """The strategy that chooses for a model; `None` when it is the core's or another plugin's."""
        return self._by_model.get(model, self._default)

    def _check_rows(self, gateway: Gateway) -> None:
        deployments = [d for group in gateway.groups.values() for d in group.deployments]
        wrong = rows.problems(deployments)
        if wrong:
            raise PluginError(gateway.plugin, f"{'; '.join(wrong)}.", mend="correct the row of model_list.")
        budgeted = [d for d in deployments if self._budgets.of(d)]
        unpriced = sorted({f"{d.group} ({d.provider}/{d.model})" for d in budgeted if d.price is None})
        if unpriced:
            raise PluginError(
                gateway.plugin,
                f"a budget holds for deployments without a price: {', '.join(unpriced)}.",
                mend="write input_cost_per_token and output_cost_per_token in their rows (0 for a free one).",
            )
        asks = "router_budget_limiting" in self.config.optional_pre_call_checks
        if (asks or self.config.routing_strategy == "provider-budget-routing") and not (
            budgeted or self.config.provider_budget_config
        ):
            raise PluginError(
                gateway.plugin,
                "router_settings asks for budgets, and none is written.",
                mend="write router_settings.provider_budget_config, or max_budget and budget_duration in rows.",
            )


def _make(name: str, args: RoutingArgs) -> Strategy:
    return LatencyBased(args) if name == _LATENCY else _PLAIN[name]()

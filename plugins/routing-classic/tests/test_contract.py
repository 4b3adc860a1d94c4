"""What every plugin promises, inherited from the SDK."""

from __future__ import annotations

from routeiq_routing_classic import RoutingClassic
from routeiq_routing_classic.plugin import OFFERED
from routeiq_sdk.testing import PluginContract
from routeiq_sdk.testing.strategy import OfferedStrategies


class TestRoutingClassic(PluginContract):
    plugin = RoutingClassic
    name = "routing-classic"
    group = "routeiq.strategies"

    def test_it_offers_litellms_strategies_but_the_cores_own(self) -> None:
        offered = OfferedStrategies()
        self.make().register_strategies(offered)  # type: ignore[attr-defined]
        assert set(offered.deployments) == set(OFFERED)
        assert "simple-shuffle" not in offered.deployments
        assert offered.models == {}


class TestRoutingClassicWithEverything(TestRoutingClassic):
    config = {
        "routing_strategy": "latency-based-routing",
        "routing_strategy_args": {"ttl": 60, "lowest_latency_buffer": 0.5},
        "routing_groups": [{"group_name": "cheap", "models": ["small"], "routing_strategy": "cost-based-routing"}],
        "enable_pre_call_checks": True,
        "optional_pre_call_checks": ["prompt_caching", "session_affinity", "deployment_affinity"],
        "enable_tag_filtering": True,
        "tag_routing_prefix": "route:",
        "provider_budget_config": {"openai": {"budget_limit": 0.01, "time_period": "1d"}},
        "model_group_affinity_config": {"small": ["session_affinity"]},
    }

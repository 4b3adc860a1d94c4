"""What every strategy promises, inherited from the SDK."""

from __future__ import annotations

from routeiq_routing_rules import RoutingRules
from routeiq_sdk.testing import StrategyContract


class TestRoutingRules(StrategyContract):
    plugin = RoutingRules
    name = "routing-rules"
    config = {
        "rules": [
            {"when": {"any_words": ["python", "sql"]}, "model": "medium", "reason": "code"},
            {"when": {"pattern": "(?i)^prove "}, "model": "large"},
            {"when": {"longer_than": 2000}, "model": "large"},
        ],
        "default": "small",
    }


class TestRoutingRulesWithoutADefault(TestRoutingRules):
    config = {"rules": [{"when": {"shorter_than": 100}, "model": "medium"}]}

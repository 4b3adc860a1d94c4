"""Routing by ordered rules. The class is loaded by its entry point; import it from here in tests of your own.

Routing that learns from data is another plugin's business.
"""

from __future__ import annotations

from routeiq_routing_rules.config import Conditions, Rule, RulesConfig
from routeiq_routing_rules.plugin import RoutingRules

__all__ = ["Conditions", "RoutingRules", "Rule", "RulesConfig"]

"""LiteLLM's load balancing as a plugin. The class is loaded by its entry point; import it from here in your tests.

Choosing between models is other plugins' business; this one chooses between deployments of one model.
"""

from __future__ import annotations

from routeiq_routing_classic.config import ClassicConfig
from routeiq_routing_classic.plugin import RoutingClassic

__all__ = ["ClassicConfig", "RoutingClassic"]

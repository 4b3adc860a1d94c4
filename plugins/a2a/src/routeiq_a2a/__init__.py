"""A2A gateway for RouteIQ: agents behind one address.

The class is loaded by its entry point; import it from here in your tests.
"""

from __future__ import annotations

from routeiq_a2a.config import A2AConfig
from routeiq_a2a.plugin import A2A

__all__ = ["A2A", "A2AConfig"]

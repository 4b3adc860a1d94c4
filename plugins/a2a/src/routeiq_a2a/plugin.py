"""The a2a plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from routeiq_a2a.config import A2AConfig
from routeiq_sdk import Plugin


class A2A(Plugin[A2AConfig]):
    """A2A gateway for RouteIQ: agents behind one address."""

"""The oauth plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from routeiq_oauth.config import OAuthConfig
from routeiq_sdk import Plugin


class OAuth(Plugin[OAuthConfig]):
    """OAuth for tools behind RouteIQ."""

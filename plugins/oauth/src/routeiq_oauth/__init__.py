"""OAuth for tools behind RouteIQ.

The class is loaded by its entry point; import it from here in your tests.
"""

from __future__ import annotations

from routeiq_oauth.config import OAuthConfig
from routeiq_oauth.plugin import OAuth

__all__ = ["OAuth", "OAuthConfig"]

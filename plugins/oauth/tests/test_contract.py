"""What every plugin promises, inherited from the SDK."""

from __future__ import annotations

from routeiq_oauth import OAuth
from routeiq_sdk.testing import PluginContract


class TestOAuth(PluginContract):
    plugin = OAuth
    name = "oauth"
    group = "routeiq.auth"
    config = {"public_url": "https://gateway.example"}

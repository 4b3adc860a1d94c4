"""What the YAML may say under `routeiq.plugins.oauth`.

What it means is the other modules' business.
"""

from __future__ import annotations

from routeiq_sdk import PluginConfig


class OAuthConfig(PluginConfig):
    """Settings of the oauth plugin."""

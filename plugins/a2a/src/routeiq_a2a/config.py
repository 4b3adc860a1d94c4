"""What the YAML may say under `routeiq.plugins.a2a`.

What it means is the other modules' business.
"""

from __future__ import annotations

from routeiq_sdk import PluginConfig


class A2AConfig(PluginConfig):
    """Settings of the a2a plugin."""

"""What the YAML may say under `routeiq.plugins.mcp`.

What it means is the other modules' business.
"""

from __future__ import annotations

from routeiq_sdk import PluginConfig


class McpConfig(PluginConfig):
    """Settings of the mcp plugin."""

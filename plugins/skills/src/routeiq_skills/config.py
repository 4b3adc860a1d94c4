"""What the YAML may say under `routeiq.plugins.skills`.

What it means is the other modules' business.
"""

from __future__ import annotations

from routeiq_sdk import PluginConfig


class SkillsConfig(PluginConfig):
    """Settings of the skills plugin."""

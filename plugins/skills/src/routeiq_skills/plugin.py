"""The skills plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from routeiq_sdk import Plugin
from routeiq_skills.config import SkillsConfig


class Skills(Plugin[SkillsConfig]):
    """Agent Skills for RouteIQ."""

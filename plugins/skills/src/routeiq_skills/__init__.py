"""Agent Skills for RouteIQ.

The class is loaded by its entry point; import it from here in your tests.
"""

from __future__ import annotations

from routeiq_skills.config import SkillsConfig
from routeiq_skills.plugin import Skills

__all__ = ["Skills", "SkillsConfig"]

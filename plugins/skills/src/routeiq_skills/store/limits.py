"""How large a skill may be, and the one error that says why something is no skill.

What is checked against them is in the modules beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SKILL_MD: Final = "SKILL.md"
MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one skill; the defaults are what every host of the MCP extension has to accept."""

    files: int = 512
    skill_bytes: int = 16 * MIB
    file_bytes: int = 16 * MIB
    skill_md_bytes: int = MIB
    frontmatter_bytes: int = 64 * 1024
    path_length: int = 512
    depth: int = 16


LIMITS: Final = Limits()


class BadSkill(Exception):
    """Something is no skill that may be served. The message says what is wrong; it holds no content."""

"""What a source of skills gives: files by skill, and a mark that changes when they do.

The kinds of sources are in modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Found:
    """The files in one folder with a SKILL.md."""

    name: str
    contents: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Troubled:
    """A folder that cannot be a skill, and why."""

    name: str
    reason: str


class Source(Protocol):
    """Where skills come from. Its methods block, so they are called in a thread. Both raise `BadSkill` when the source
    as a whole cannot be read."""

    name: str
    """As messages name it."""

    def mark(self) -> object:
        """A value that differs when anything changed."""

    def read(self) -> Iterator[Found | Troubled]:
        """All its skills."""

"""What a load wants people to know: notices, and protective keys that wait for a plugin.

Errors are not here; whether a plugin is present is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routeiq.config.position import KeyPath, Positions, dotted

Level = Literal["info", "no_effect", "warning"]
"""`info` never stops a start; `no_effect` (an accepted key that does nothing) and `warning` do in strict mode."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One line to show at start, unless its `unless_plugin` runs."""

    level: Level
    path: str
    message: str
    file: str
    line: int
    unless_plugin: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class ProtectiveKey:
    """A configured key that protects something (or changes which model answers), and the plugin that implements it."""

    path: str
    needs_plugin: str
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: {self.message}"


def notice_at(
    positions: Positions, level: Level, path: KeyPath, message: str, *, unless_plugin: str | None = None
) -> Notice:
    place = positions.at(path)
    return Notice(level, dotted(path), message, place.file, place.line, unless_plugin)

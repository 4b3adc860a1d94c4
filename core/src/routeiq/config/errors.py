"""What is wrong with a configuration: all problems of one load, raised together.

The texts of single rules live beside the rules.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from routeiq.config.position import KeyPath, Place, Positions
from routeiq_sdk.errors import ConfigError


class ConfigErrors(ConfigError):
    """Every problem found in one load, so that a file is mended in one go."""

    def __init__(self, problems: Iterable[ConfigError]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.message, file=first.file, line=first.line, mend=first.mend)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        return "\n".join([f"{len(self.problems)} problems:", *(f"  {problem}" for problem in self.problems)])


class Problems:
    """Collects problems while a document is read, and raises them at the end."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.found: list[ConfigError] = []

    def add(self, path: KeyPath, message: str, mend: str | None = None) -> None:
        self.found.append(problem_at(self.positions.at(path), message, mend))

    def raise_if_any(self) -> None:
        if self.found:
            raise ConfigErrors(sorted(self.found, key=lambda problem: (problem.file or "", problem.line or 0)))


def problem_at(place: Place, message: str, mend: str | None = None) -> ConfigError:
    return ConfigError(f"{message.rstrip('.')}.", file=place.file, line=place.line, mend=mend)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.7) -> str | None:
    """The known name that `name` was probably meant to be."""
    close = difflib.get_close_matches(name, tuple(known), n=1, cutoff=cutoff)
    return close[0] if close else None

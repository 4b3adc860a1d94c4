"""How a LiteLLM key is classed: served by the core, protective, or neutral. The rows are in `key_tables`.

Values are not looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from routeiq.config.errors import nearest


class KeyClass(StrEnum):
    """What the gateway does with a key that it knows."""

    SERVED = "served"
    """The core acts on it."""
    PROTECTIVE = "protective"
    """It protects something, or decides which model answers: without its plugin the start stops."""
    NEUTRAL = "neutral"
    """Accepted; without its plugin it has no effect, and that is told once."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section. A name with `*` stands for a family of keys."""

    name: str
    key_class: KeyClass
    description: str
    plugin: str | None = None
    part_of: str | None = None
    """The key without which this one does nothing; it is reported with that one, not alone."""


def served(name: str, description: str) -> Key:
    return Key(name, KeyClass.SERVED, description)


def neutral(name: str, description: str, plugin: str | None = None) -> Key:
    return Key(name, KeyClass.NEUTRAL, description, plugin)


def protective(name: str, plugin: str, description: str, part_of: str | None = None) -> Key:
    return Key(name, KeyClass.PROTECTIVE, description, plugin, part_of)


@dataclass(frozen=True, slots=True)
class KeyTable:
    """The keys of one section. An open section hands unknown keys on; only a near miss is told."""

    section: str
    rows: tuple[Key, ...]
    open: bool = False
    _exact: dict[str, Key] = field(init=False, repr=False)
    _families: tuple[Key, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_exact", {row.name: row for row in self.rows if "*" not in row.name})
        object.__setattr__(self, "_families", tuple(row for row in self.rows if "*" in row.name))

    def find(self, name: str) -> Key | None:
        """The row of a key, by name or by family."""
        row = self._exact.get(name)
        return row or next((family for family in self._families if fnmatchcase(name, family.name)), None)

    def hint(self, name: str) -> str | None:
        """The known key that an unknown one resembles. An open section asks for more likeness."""
        return nearest(name, self._exact, 0.84 if self.open else 0.7)

    def names(self) -> Iterable[str]:
        return self._exact

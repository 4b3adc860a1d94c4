"""Where each key of the configuration was written: key paths, files and lines.

No YAML is read here and nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

KeyPath = tuple[str | int, ...]


class Place(NamedTuple):
    """A line of a file. Lines count from 1."""

    file: str
    line: int


def dotted(path: KeyPath) -> str:
    """`("model_list", 0, "model_name")` as people write it: `model_list[0].model_name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part or any(mark in part for mark in '.["'):
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else part
    return text


class Positions(Mapping[str, Place]):
    """The place of every key, by its dotted path."""

    def __init__(self, places: Mapping[KeyPath, Place], root: Place) -> None:
        self._places = dict(places)
        self._root = root

    def at(self, path: KeyPath) -> Place:
        """The place of a path, or of its nearest ancestor that was written."""
        while path:
            if path in self._places:
                return self._places[path]
            path = path[:-1]
        return self._root

    @property
    def folder(self) -> Path:
        """Where the main file stands."""
        return Path(self._root.file).parent

    @cached_property
    def _by_text(self) -> dict[str, Place]:
        return {dotted(path): place for path, place in self._places.items()}

    def __getitem__(self, path: str) -> Place:
        return self._by_text[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_text)

    def __len__(self) -> int:
        return len(self._places)

"""Reads configuration files with their includes into one document that remembers files and lines.

References to the environment stay as written, and no key is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from routeiq.config.errors import ConfigErrors, problem_at
from routeiq.config.notices import Notice
from routeiq.config.position import KeyPath, Place, Positions, dotted
from routeiq.config.yaml_tree import Entry, parse
from routeiq_sdk.errors import ConfigError

INCLUDE = "include"


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, where each key of it was written, and the files it came from."""

    data: dict[str, Any]
    positions: Positions
    sources: tuple[Path, ...]
    notices: tuple[Notice, ...]


def read(path: Path) -> Document:
    """Read a file and all it includes. Raises `ConfigErrors`."""
    reader = _Reader(path)
    return _document(reader.file(path, ()), tuple(reader.seen), reader.notices)


def read_text(text: str, name: str) -> Document:
    """Read one text. It cannot include files: it has no folder."""
    entries = _mapping(parse(text, name))
    if INCLUDE in entries.value:
        raise ConfigErrors([problem_at(entries.value[INCLUDE].place, "a text cannot include files", "load a file")])
    return _document(entries, (), [])


@dataclass(frozen=True, slots=True)
class _Mapping:
    value: dict[str, Entry]
    place: Place


def _mapping(entry: Entry) -> _Mapping:
    if not isinstance(entry.value, dict):
        problem = problem_at(entry.place, "a configuration is a mapping of keys", "start with `model_list:`")
        raise ConfigErrors([problem])
    return _Mapping(entry.value, entry.place)


class _Reader:
    def __init__(self, main: Path) -> None:
        self._folder = main.resolve().parent
        self.seen: dict[Path, None] = {}
        self.notices: list[Notice] = []

    def file(self, path: Path, chain: tuple[Path, ...]) -> _Mapping:
        path = path.resolve()
        self.seen[path] = None
        tree = _mapping(parse(_text(path), str(path)))
        include = tree.value.pop(INCLUDE, None)
        for name, place in _names(include) if include else ():
            target = self._locate(name, path.parent, place)
            if target in (*chain, path):
                cycle = " -> ".join(str(step) for step in (*chain, path, target))
                raise ConfigErrors([problem_at(place, f"files include one another: {cycle}", "remove one include")])
            if target in self.seen:
                continue
            included = self.file(target, (*chain, path))
            self._merge(tree.value, included.value, ())
        return tree

    def _locate(self, name: str, folder: Path, place: Place) -> Path:
        for base in (folder, self._folder):
            if (base / name).is_file():
                return (base / name).resolve()
        mend = f"create {folder / name} or correct the name"
        raise ConfigErrors([problem_at(place, f"included file {name!r} does not exist", mend)])

    def _merge(self, base: dict[str, Entry], other: Mapping[str, Entry], path: KeyPath) -> None:
        """Mappings merge, lists are extended; of two plain values the included one counts, as in LiteLLM."""
        for key, entry in other.items():
            mine = base.get(key)
            if mine is None or mine.value is None:
                base[key] = entry
            elif isinstance(mine.value, dict) and isinstance(entry.value, dict):
                merged = dict(mine.value)
                self._merge(merged, entry.value, (*path, key))
                base[key] = Entry(merged, mine.place)
            elif isinstance(mine.value, list) and isinstance(entry.value, list):
                base[key] = Entry([*mine.value, *entry.value], mine.place)
            else:
                base[key] = entry
                message = f"written here and at {mine.place.file}:{mine.place.line}; the included file's value counts"
                self.notices.append(Notice("warning", dotted((*path, key)), message, *entry.place))


def _names(include: Entry) -> list[tuple[str, Place]]:
    items = include.value if isinstance(include.value, list) else [include]
    names = [(item.value, item.place) for item in items if isinstance(item.value, str)]
    if len(names) != len(items):
        raise ConfigErrors([problem_at(include.place, "include is a list of file names", "include: [models.yaml]")])
    return names


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "cannot be read"
        mend = "give the path of a YAML file; `routeiq init` writes one"
        raise ConfigErrors([ConfigError(f"cannot read it: {reason}.", file=path, mend=mend)]) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    raise ConfigErrors([problem_at(Place(str(path), line), "not UTF-8 text", "save the file as UTF-8")])


def _document(tree: _Mapping, sources: tuple[Path, ...], notices: list[Notice]) -> Document:
    places: dict[KeyPath, Place] = {}
    data = _plain(Entry(tree.value, tree.place), (), places)
    return Document(data, Positions(places, tree.place), sources, tuple(notices))


def _plain(entry: Entry, path: KeyPath, places: dict[KeyPath, Place]) -> Any:
    if path:
        places[path] = entry.place
    if isinstance(entry.value, dict):
        return {key: _plain(item, (*path, key), places) for key, item in entry.value.items()}
    if isinstance(entry.value, list):
        return [_plain(item, (*path, number), places) for number, item in enumerate(entry.value)]
    return entry.value

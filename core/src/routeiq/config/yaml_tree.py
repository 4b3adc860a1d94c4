"""YAML text to a tree of values that know their file and line.

Composes from parser events: the C composer recurses without a bound, and a deep document kills the process.
No key has a meaning here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn, cast

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from routeiq.config.errors import ConfigErrors, problem_at
from routeiq.config.position import Place
from routeiq_sdk.errors import ConfigError

Scalar = str | int | float | bool | None

MAX_DEPTH = 64
MAX_VALUES = 100_000
MAX_INTEGER = 2**63
MAX_CHARACTERS = 8 * 1024 * 1024

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value", f"{_TAG}merge", "!"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and where it was written: the line of its key, or its own line inside a list."""

    value: Scalar | dict[str, Entry] | list[Entry]
    place: Place
    height: int = 0
    """Levels below it; an alias may not stack anchors deeper than the bound."""


def parse(text: str, file: str) -> Entry:
    """The tree of one document; an empty document is an empty mapping. Raises `ConfigErrors`."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigErrors([ConfigError(f"larger than {MAX_CHARACTERS} characters.", file=file)])
    try:
        return _Composer(text, file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = f"not valid YAML: {error.problem or 'cannot be parsed'}"
        if "nesting depth" in what:  # newer libyaml has a bound of its own, which its parser may meet before ours
            what = f"nested deeper than {MAX_DEPTH} levels"
    except (yaml.YAMLError, ValueError):
        line, what = 1, "not valid YAML: it holds characters that YAML does not allow"
    raise ConfigErrors([problem_at(Place(file, line), what, "correct the YAML at or above this line")])


class _Composer:
    def __init__(self, text: str, file: str) -> None:
        self._events: Iterator[Any] = cast("Iterator[Any]", yaml.parse(text, Loader=_LOADER))
        self._file = file
        self._resolver: Any = Resolver()
        self._constructor = SafeConstructor()
        self._anchors: dict[str, tuple[Entry, int]] = {}
        self._count = 0
        self._duplicates: list[ConfigError] = []

    def document(self) -> Entry:
        next(self._events)  # stream start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return Entry({}, Place(self._file, 1))
        root = self._node(next(self._events), 0)
        next(self._events)  # document end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse(after, "a second YAML document starts here", "keep one document a file; remove the `---`")
        if self._duplicates:
            raise ConfigErrors(self._duplicates)
        return Entry({}, root.place) if root.value is None else root

    def _node(self, event: Any, depth: int) -> Entry:
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        before = self._count
        self._grow(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            entry = Entry(self._scalar(event), self._place(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_collection_tag(event, "seq")
            items = self._sequence(depth)
            entry = Entry(items, self._place(event), 1 + max((item.height for item in items), default=0))
        else:
            self._check_collection_tag(event, "map")
            members = self._mapping(depth)
            height = 1 + max((item.height for item in members.values()), default=0)
            entry = Entry(members, self._place(event), height)
        if event.anchor:
            self._anchors[event.anchor] = (entry, self._count - before)
        return entry

    def _alias(self, event: Any, depth: int) -> Entry:
        if event.anchor not in self._anchors:
            self._refuse(event, f"alias *{event.anchor} names no anchor above it")
        entry, size = self._anchors[event.anchor]
        self._grow(event, size)
        if depth + entry.height > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels once its aliases are expanded")
        return replace(entry, place=self._place(event))

    def _sequence(self, depth: int) -> list[Entry]:
        items: list[Entry] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Entry]:
        written: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, "a key must be plain text", "write the key as a word or a quoted string")
            place = self._place(event)
            entry = self._node(next(self._events), depth + 1)
            if event.value == "<<" and event.implicit[0] and not event.tag:
                merged = {**self._merge_source(event, entry), **merged}
                continue
            key = event.value
            if key in written:
                message = f"key {key!r} is written twice (first at line {written[key].place.line})"
                self._duplicates.append(problem_at(place, message, "keep one of the two"))
            written[key] = replace(entry, place=place)
        return {**merged, **written}

    def _merge_source(self, event: Any, entry: Entry) -> dict[str, Entry]:
        sources = entry.value if isinstance(entry.value, list) else [entry]
        merged: dict[str, Entry] = {}
        for source in sources:
            if not isinstance(source.value, dict):
                self._refuse(event, "`<<` takes a mapping or a list of mappings")
            merged = {**source.value, **merged}
        return merged

    def _scalar(self, event: Any) -> Scalar:
        tag = event.tag or self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag in _TEXT_TAGS:
            return str(event.value)
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        known = True
        try:
            if tag == f"{_TAG}null":
                return None
            if tag == f"{_TAG}bool":
                return bool(self._constructor.construct_yaml_bool(node))
            if tag == f"{_TAG}int":
                return self._integer(event, int(self._constructor.construct_yaml_int(node)))
            if tag == f"{_TAG}float":
                return float(self._constructor.construct_yaml_float(node))
            known = False
        except (ValueError, KeyError, IndexError, OverflowError):
            pass  # refused below: raised here, the error would carry the value as its context
        if known:
            self._refuse(event, f"cannot be read as {tag.removeprefix(_TAG)}", "quote it if it is text")
        return self._refuse(event, f"tag {tag.replace(_TAG, '!!')} is not supported", "remove the tag")

    def _integer(self, event: Any, number: int) -> int:
        if abs(number) >= MAX_INTEGER:
            self._refuse(event, "a number too large to be meant", "quote it if it is text")
        return number

    def _check_collection_tag(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", f"{_TAG}{kind}"):
            self._refuse(event, f"tag {event.tag.replace(_TAG, '!!')} is not supported", "remove the tag")

    def _grow(self, event: Any, by: int) -> None:
        self._count += by
        if self._count > MAX_VALUES:
            self._refuse(event, f"more than {MAX_VALUES} values once its aliases are expanded")

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1)

    def _refuse(self, event: Any, message: str, mend: str | None = None) -> NoReturn:
        raise ConfigErrors([*self._duplicates, problem_at(self._place(event), message, mend)])

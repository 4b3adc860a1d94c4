"""Walks the document against the key tables: unknown keys, keys without effect, protective keys.

It reports and never decides: which plugins are loaded is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from routeiq.config.key_tables import TABLES
from routeiq.config.keys import Key, KeyClass, KeyTable
from routeiq.config.notices import Notice, ProtectiveKey, notice_at
from routeiq.config.position import KeyPath, Positions, dotted
from routeiq.config.special_keys import OBSERVING_KEYS, SPECIAL_KEYS, Finding


def has_effect(value: Any) -> bool:
    """Whether a value configures anything: nulls, `false` and empty lists, mappings and texts do not; 0 does."""
    if value is None or value is False:
        return False
    return not (isinstance(value, str | list | tuple | Mapping) and not value)


class Report:
    """What the walk found."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.notices: list[Notice] = []
        self.protective: list[ProtectiveKey] = []
        self._told: set[tuple[str, str]] = set()

    def note_unknown(self, table: KeyTable, path: KeyPath) -> None:
        name = str(path[-1])
        hint = table.hint(name)
        if hint:
            self._note("warning", path, f"unknown key; did you mean {hint!r}?")
        elif not table.open:
            self._note("warning", path, "unknown key; it has no effect")

    def note_neutral(self, table: KeyTable, key: Key, path: KeyPath) -> None:
        if (table.section, key.name) in self._told:
            return
        self._told.add((table.section, key.name))
        if key.plugin:
            self._note("info", path, f"accepted; it has an effect with the plugin {key.plugin} alone", key.plugin)
        else:
            self._note("no_effect", path, "accepted, no effect")

    def note_observer(self, path: KeyPath, plugin: str, what: str) -> None:
        if plugin:
            self._note("info", path, f"{what} is accepted; it has an effect with the plugin {plugin} alone", plugin)
        else:
            self._note("no_effect", path, f"{what} is accepted; no plugin serves it, it has no effect")

    def note_protective(self, path: KeyPath, plugin: str, what: str) -> None:
        place = self.positions.at(path)
        message = (
            f"the core does not do this ({what}): install and name the plugin {plugin}, remove the key, "
            f"or list it in routeiq.compat.accept_unenforced"
        )
        self.protective.append(ProtectiveKey(dotted(path), plugin, place.file, place.line, message))

    def _note(self, level: Any, path: KeyPath, message: str, unless_plugin: str | None = None) -> None:
        self.notices.append(notice_at(self.positions, level, path, message, unless_plugin=unless_plugin))


def classify(data: Mapping[str, Any], positions: Positions) -> Report:
    """The report on every LiteLLM key of a resolved document."""
    report = Report(positions)
    for table, section, path in _sections(data):
        for name, value in section.items():
            _judge(table, name, value, (*path, name), report)
    return report


def _judge(table: KeyTable, name: str, value: Any, path: KeyPath, report: Report) -> None:
    key = table.find(name)
    if key is None:
        report.note_unknown(table, path)
        return
    if not has_effect(value):
        return
    findings = _findings(SPECIAL_KEYS, table.section, name, value)
    for finding in findings:
        report.note_protective((*path, *finding.path), finding.plugin, finding.what)
    observers = _findings(OBSERVING_KEYS, table.section, name, value)
    for observer in observers:
        report.note_observer((*path, *observer.path), observer.plugin, observer.what)
    if observers:
        return
    if findings or key.part_of or key.key_class is KeyClass.SERVED:
        return
    if key.key_class is KeyClass.NEUTRAL:
        report.note_neutral(table, key, path)
    else:
        report.note_protective(path, key.plugin or "core", _lower(key.description))


def _lower(description: str) -> str:
    text = description.rstrip(".")
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _findings(
    table: Mapping[tuple[str, str], Callable[[Any], Iterator[Finding]]], section: str, name: str, value: Any
) -> list[Finding]:
    special = table.get((section, name))
    return list(special(value)) if special else []


def _sections(data: Mapping[str, Any]) -> Iterator[tuple[KeyTable, Mapping[str, Any], KeyPath]]:
    """Every mapping of the document that has a table, with its path."""
    for section, table in TABLES.items():
        for found, path in _match(data, section.split(".") if section else [], ()):
            if isinstance(found, Mapping):
                yield table, found, path


def _match(value: Any, pattern: list[str], path: KeyPath) -> Iterator[tuple[Any, KeyPath]]:
    if not pattern:
        yield value, path
        return
    step, rest = pattern[0], pattern[1:]
    if not isinstance(value, Mapping):
        return
    if step == "*":
        for name, item in value.items():
            yield from _match(item, rest, (*path, name))
    elif step.endswith("[]"):
        rows = value.get(step[:-2])
        for number, row in enumerate(rows if isinstance(rows, list) else ()):
            yield from _match(row, rest, (*path, step[:-2], number))
    elif step in value:
        yield from _match(value[step], rest, (*path, step))

"""Which routes a key is narrowed to: `allowed_routes` and `key_type`, as paths, prefixes and LiteLLM's groups.

What the caller may do on them is decided by its roles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from routeiq_governance.access.route_groups import GROUPS, KEY_TYPES

_HOLE = re.compile(r"\{[^}]+\}")


@dataclass(frozen=True, slots=True)
class RouteScope:
    """Routes that a key may call. An entry is a group's name, a path (which holds what lies below it, too) or a prefix
    that ends in `*`."""

    entries: tuple[str, ...]
    literals: frozenset[str]
    prefixes: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]

    def allows(self, path: str) -> bool:
        """Whether a request's path is among them."""
        return (
            path in self.literals
            or path.startswith(self.prefixes)
            or any(pattern.fullmatch(path) is not None for pattern in self.patterns)
        )

    def holds(self, other: RouteScope) -> bool:
        """Whether every route of `other` is certainly among mine."""
        return all(self._holds(entry) for entry in other.entries)

    def _holds(self, entry: str) -> bool:
        if entry in self.entries:
            return True
        if entry in GROUPS:
            return all(self._holds_template(template) for template in GROUPS[entry])
        if entry.endswith("*"):
            return entry[:-1].startswith(self.prefixes)
        return self._holds_template(entry)

    def _holds_template(self, template: str) -> bool:
        mine = any(template in GROUPS.get(entry, ()) for entry in self.entries)
        return mine or template in self.literals or template.partition("{")[0].startswith(self.prefixes)


def scope_of(settings: Mapping[str, Any]) -> RouteScope | None:
    """What a key's settings narrow it to; `None` when they do not."""
    return wanted_scope(settings.get("allowed_routes"), settings.get("key_type"))


def wanted_scope(allowed_routes: object, key_type: object) -> RouteScope | None:
    """What the two fields mean: a key type adds its groups to the routes that are named. A type nobody knows and a
    list that is none allow nothing."""
    entries: list[str] = []
    narrowed = False
    if allowed_routes:
        narrowed = True
        if isinstance(allowed_routes, list | tuple):
            entries += [entry for entry in allowed_routes if isinstance(entry, str)]
    if key_type is not None:
        groups = KEY_TYPES.get(key_type) if isinstance(key_type, str) else None
        narrowed = narrowed or groups is None or bool(groups)
        entries += groups or ()
    return compiled(tuple(entries)) if narrowed else None


@lru_cache(maxsize=4096)
def compiled(entries: tuple[str, ...]) -> RouteScope:
    """The scope of these entries."""
    literals: set[str] = set()
    prefixes: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for entry in entries:
        if entry in GROUPS:
            for template in GROUPS[entry]:
                if "{" in template:
                    patterns.append(_pattern(template))
                else:
                    literals.add(template)
        elif entry.endswith("*"):
            prefixes.add(entry[:-1])
        elif "{" in entry:
            patterns.append(_pattern(entry))
        elif entry:
            literals.add(entry)
            prefixes.add(entry.rstrip("/") + "/")
    return RouteScope(entries, frozenset(literals), tuple(sorted(prefixes)), tuple(patterns))


def problems(allowed_routes: Sequence[str]) -> list[str]:
    """Entries that can match no route: neither a path, nor a group."""
    return [entry for entry in allowed_routes if entry not in GROUPS and not entry.startswith("/")]


def _pattern(template: str) -> re.Pattern[str]:
    parts, at = [], 0
    for hole in _HOLE.finditer(template):
        parts.append(re.escape(template[at : hole.start()]))
        rest = template[hole.end() :]
        parts.append(r"[^:]+" if rest.startswith(":") else r"[\s\S]+" if ":path" in hole[0] else r"[^/]+")
        at = hole.end()
    parts.append(re.escape(template[at:]))
    return re.compile("".join(parts))

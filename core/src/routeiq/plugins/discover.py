"""One look at what is installed. It reads metadata and imports no plugin.

Which of the plugins found may run is decided by `policy`, `lock` and `select`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from itertools import islice

from routeiq_sdk import PluginError

KINDS = ("strategies", "embedders", "guards", "auth", "protocols", "sinks", "plugins")
GROUPS = tuple(f"routeiq.{kind}" for kind in KINDS)
_MARK = "routeiq."


@dataclass(frozen=True, slots=True)
class Found:
    """An installed plugin: its entry point and the distribution that brings it. `kind` is the group's last word."""

    name: str
    kind: str
    group: str
    value: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


def scan(groups: Iterable[str] = GROUPS) -> tuple[Found, ...]:
    """Every plugin that is installed, by name. Two distributions may claim one name; the listing shows both."""
    wanted = {group: group.rpartition(".")[2] for group in groups}
    found = {
        Found(point.name, wanted[point.group], point.group, point.value, name, version)
        for name, version, distribution in _with_plugins()
        for point in distribution.entry_points
        if point.group in wanted
    }
    return tuple(sorted(found, key=lambda one: (one.name, one.distribution, one.group)))


def _with_plugins() -> Iterator[tuple[str, str, Distribution]]:
    """Name, version and distribution of each that may bring plugins; of one that is there twice, the copy that is first
    on the path. The text of the others, which are most, is not parsed."""
    told = (found for found in distributions() if _MARK in (found.read_text("entry_points.txt") or ""))
    for name in {found.metadata["Name"] for found in told}:
        for first in islice(distributions(name=name), 1):
            yield name, first.metadata["Version"], first


def claimants(name: str, founds: Iterable[Found]) -> tuple[Found, ...]:
    """Who offers `name`. One distribution that lists the same class under two kinds counts once."""
    claims: dict[tuple[str, str], Found] = {}
    for found in founds:
        if found.name == name:
            claims.setdefault((found.distribution, found.value), found)
    return tuple(claims.values())


def the_one(name: str, founds: Iterable[Found]) -> Found:
    """The plugin called `name`. Raises `PluginError` when nobody offers it, or more than one distribution does."""
    founds = tuple(founds)
    claims = claimants(name, founds)
    if not claims:
        near = difflib.get_close_matches(name, {found.name for found in founds}, n=1)
        hint = f", or did you mean {near[0]!r}?" if near else ""
        raise PluginError(name, "is not installed.", mend=f"pip install routeiq-{name}{hint}")
    if len(claims) > 1:
        who = " and ".join(f"{claim} ({claim.value})" for claim in claims)
        raise PluginError(name, f"is claimed by {who}.", mend="uninstall all but one of them.")
    return claims[0]

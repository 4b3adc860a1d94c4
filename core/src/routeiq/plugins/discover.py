"""One look at what is installed. It reads metadata and imports no plugin.

Which of the plugins found may run is decided by `policy`, `lock` and `select`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points

from routeiq_sdk import PluginError

KINDS = ("strategies", "embedders", "guards", "auth", "protocols", "sinks", "plugins")
GROUPS = tuple(f"routeiq.{kind}" for kind in KINDS)


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
    installed = entry_points()
    found = {
        Found(point.name, group.rpartition(".")[2], group, point.value, point.dist.name, point.dist.version)
        for group in groups
        for point in installed.select(group=group)
        if point.dist is not None
    }
    return tuple(sorted(found, key=lambda one: (one.name, one.distribution, one.group)))


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

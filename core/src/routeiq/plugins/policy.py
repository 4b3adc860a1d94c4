"""The allow-list: which distribution, in which versions, may bring which plugin.

Digests of installed files are `lock`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from routeiq.config.errors import problem_at
from routeiq.config.position import Positions
from routeiq.config.routeiq_block import AllowedPlugin
from routeiq.plugins.discover import Found
from routeiq.plugins.select import UNPLACED


@dataclass(frozen=True, slots=True)
class Allowance:
    """One row of the list. An absent entry point admits any of the distribution."""

    distribution: str
    versions: SpecifierSet
    entry_point: str | None

    def admits(self, found: Found) -> bool:
        return (
            canonicalize_name(found.distribution) == self.distribution
            and self.versions.contains(found.version, prereleases=True)
            and self.entry_point in (None, found.name)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Rows of the list; `None` when the YAML has no list, and then whatever the YAML names may run."""

    rows: tuple[Allowance, ...] | None = None


OPEN = Policy()


def read_policy(rows: Iterable[AllowedPlugin] | None, positions: Positions = UNPLACED) -> Policy:
    """The list in `routeiq.plugin_policy.allow`. Raises `ConfigError` for a version range that is none."""
    if rows is None:
        return OPEN
    return Policy(tuple(_row(number, row, positions) for number, row in enumerate(rows)))


def allowed(found: Found, policy: Policy) -> bool:
    """Whether some row admits this plugin."""
    return policy.rows is None or any(row.admits(found) for row in policy.rows)


def _row(number: int, row: AllowedPlugin, positions: Positions) -> Allowance:
    try:
        versions = SpecifierSet(row.version or "")
    except InvalidSpecifier:
        raise problem_at(
            positions.at(("routeiq", "plugin_policy", "allow", number, "version")),
            f"routeiq.plugin_policy.allow[{number}].version: {row.version!r} is not a version range.",
            'write it as PEP 440 does: ">=1.2,<2".',
        ) from None
    return Allowance(canonicalize_name(row.distribution), versions, row.entry_point)

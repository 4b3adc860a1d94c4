"""The reference of plugin kinds and of the profiles' fixed lists.

What a kind's tests check is written in its contract class.
"""

from __future__ import annotations

from reference_blocks.tables import code, table
from routeiq.plugins.scaffold import KINDS
from routeiq.plugins.select import PROFILES


def kinds() -> str:
    """One row a kind that `routeiq plugins new` knows."""
    rows = ((code(name), code(kind.group), code(kind.contract), kind.summary) for name, kind in KINDS.items())
    return table(("kind", "entry-point group", "contract to inherit", "what the example does"), rows)


def profiles() -> str:
    """One row a profile."""
    rows = ((code(name), ", ".join(code(plugin) for plugin in names) or "none") for name, names in PROFILES.items())
    return table(("profile", "plugins that are on without being named"), rows)

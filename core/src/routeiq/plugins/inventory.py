"""The listing of plugins: what is installed, and what the configuration makes of it. Imports no plugin.

Which gates a plugin is called at is known only once it is loaded; see `check`.
"""

from __future__ import annotations

from typing import NamedTuple

from routeiq.config.model import Config
from routeiq.plugins.discover import Found, claimants, scan
from routeiq.plugins.select import PROFILES, select


class Row(NamedTuple):
    """One line of the listing.

    `state` is `named`, `profile` (asked for by the profile alone), `off` (named, `enabled: false`), `installed` (nobody
    asks for it), `duplicate` (two distributions claim the name), `missing`, or `absent` (missing, but only the profile
    asks for it).
    """

    name: str
    kind: str
    distribution: str
    version: str
    state: str


def inventory(config: Config | None) -> list[Row]:
    """All plugins that are installed or asked for. Without a configuration, the standard profile asks."""
    founds = scan()
    if config is None:
        asked, off = dict.fromkeys(PROFILES["standard"], "profile"), set[str]()
    else:
        selection = select(config.routeiq.plugins, config.routeiq.profile)
        asked = {one.name: "named" if one.required else "profile" for one in selection}
        off = {name for name, entry in config.routeiq.plugins.items() if not entry.enabled}
    rows = [_row(found, founds, asked, off) for found in founds]
    installed = {found.name for found in founds}
    rows += [
        Row(name, "", "", "", "missing" if why == "named" else "absent")
        for name, why in asked.items()
        if name not in installed
    ]
    return sorted(rows)


def _row(found: Found, founds: tuple[Found, ...], asked: dict[str, str], off: set[str]) -> Row:
    if len(claimants(found.name, founds)) > 1:
        state = "duplicate"
    elif found.name in off:
        state = "off"
    else:
        state = asked.get(found.name, "installed")
    return Row(found.name, found.kind, found.distribution, found.version, state)

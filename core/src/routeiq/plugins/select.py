"""Which plugins are asked for: the profile's fixed list and what the YAML names.

Whether they are installed, allowed and sound is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from routeiq.config.errors import nearest, problem_at
from routeiq.config.position import KeyPath, Place, Positions
from routeiq.config.routeiq_block import PluginEntry

PROFILES: Mapping[str, tuple[str, ...]] = {
    "minimal": (),
    "standard": ("governance", "routing-classic", "routing-ml", "otel", "prometheus", "callbacks"),
}
SECTION: KeyPath = ("routeiq", "plugins")
UNPLACED = Positions({}, Place("<config>", 1))


class Selected(NamedTuple):
    """A plugin that is asked for. One that only the profile asks for is not `required`: it may be absent."""

    name: str
    config: Mapping[str, Any]
    required: bool
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def select(plugins: Mapping[str, PluginEntry], profile: str) -> list[Selected]:
    """The plugins to load, in their places: first those of the profile that the YAML leaves alone, then the YAML's."""
    chosen = [Selected(name, {}, required=False) for name in PROFILES[profile] if name not in plugins]
    chosen += [
        Selected(name, entry.config, required=True, before=entry.before, after=entry.after)
        for name, entry in plugins.items()
        if entry.enabled
    ]
    return chosen


def notice_of_absence(name: str) -> str:
    """The line that is shown for a plugin which only the profile asks for, and which is not installed."""
    return f"the profile's plugin {name} is not installed (pip install routeiq-{name})"


def check_names(selection: Iterable[Selected], known: Iterable[str], positions: Positions = UNPLACED) -> None:
    """Raise `ConfigError` for a `before` or `after` in the YAML that names a plugin nobody has heard of."""
    selection = tuple(selection)
    names = {one.name for one in selection}.union(known, *PROFILES.values())
    for one in selection:
        for key, others in (("before", one.before), ("after", one.after)):
            for other in others:
                if other not in names:
                    hint = nearest(other, names)
                    raise problem_at(
                        positions.at((*SECTION, one.name, key)),
                        f"routeiq.plugins.{one.name}.{key} names an unknown plugin {other!r}.",
                        f"did you mean {hint!r}?" if hint else "`routeiq plugins list` shows the names.",
                    )

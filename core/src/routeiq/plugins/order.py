"""The order of plugins inside every gate: by the names in `before` and `after`, then guards first and sinks last, then
by place in the YAML.

There are no numeric priorities.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

from routeiq_sdk import PluginError


class Placed(NamedTuple):
    """A plugin and whom it comes before and after, by its class or by the YAML. `kind` is what its entry point says."""

    name: str
    before: frozenset[str]
    after: frozenset[str]
    kind: str = "plugins"


_RANK = {"guards": 0, "sinks": 2}
"""What a sink keeps is what the guards let through."""


def order(plugins: Sequence[Placed]) -> tuple[str, ...]:
    """Names in the order of their calls; `plugins` come in their places. Names that are absent are ignored.

    Raises `PluginError` for a cycle, which it names.
    """
    place = {plugin.name: (_RANK.get(plugin.kind, 1), number) for number, plugin in enumerate(plugins)}
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(place, ()))
    for plugin in plugins:
        sorter.add(plugin.name, *_present(plugin.after, place))
        for later in _present(plugin.before, place):
            sorter.add(later, plugin.name)
    try:
        sorter.prepare()
    except CycleError as error:
        raise _named(error.args[1], plugins) from None
    ordered: list[str] = []
    waiting: list[tuple[tuple[int, int], str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(waiting, (place[name], name))
        _, first = heapq.heappop(waiting)
        ordered.append(first)
        sorter.done(first)
    return tuple(ordered)


def _present(names: Iterable[str], place: dict[str, tuple[int, int]]) -> list[str]:
    return sorted(name for name in names if name in place)


def _named(cycle: list[str], plugins: Sequence[Placed]) -> PluginError:
    """graphlib lists a cycle from predecessor to successor, and its first name again at the end."""
    placed = {plugin.name: plugin for plugin in plugins}
    steps = [
        f"{first} before {later} (said by {first if later in placed[first].before else later})"
        for first, later in pairwise(cycle)
    ]
    return PluginError(
        cycle[0], f"the order is a cycle: {', '.join(steps)}.", mend="remove one `before` or `after` of them."
    )

"""Writes down, once a second, how this worker is: so that any other worker can tell it.

What is counted since the process started is added as it grows, so that sums over workers that come and go never fall.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from routeiq_prometheus.families import Labels
from routeiq_prometheus.layout import Layout
from routeiq_prometheus.places import Places
from routeiq_prometheus.rarely import Rarely
from routeiq_prometheus.rows import Rows
from routeiq_sdk import Gateway, Vitals

_EVERY_SECONDS = 1.0
_JITTER_SECONDS = 0.05


class Watch:
    """Looks at `gateway.vitals()`. Counts begin with what they are when it is made."""

    def __init__(self, gateway: Gateway, layout: Layout, rows: Rows, places: Places, rarely: Rarely) -> None:
        self._gateway = gateway
        self._layout = layout
        self._rows = rows
        self._places = places
        self._rarely = rarely
        self._seen: dict[Hashable, float] = {}
        self._benched: dict[str, float] = {}
        self._busy: set[str] = set()
        self._looked_at = 0.0
        self.ended = False
        self._process = rows.find(layout.process, ())[0]
        self._begin(gateway.vitals())

    async def run(self) -> None:
        """Look for ever."""
        while not self.ended:
            self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    def look(self) -> None:
        """Look once."""
        vitals, layout, cells = self._gateway.vitals(), self._layout, self._rows.cells
        row, _ = self._rows.find(layout.worker, (vitals.store,))
        cells[row + layout.ALIVE] = 1.0
        cells[row + layout.IN_FLIGHT] = vitals.in_flight
        cells[row + layout.MOST_IN_FLIGHT] = vitals.most_in_flight
        cells[row + layout.WAITING] = vitals.events_waiting
        cells[row + layout.STORE_UP] = float(vitals.store_up)
        cells[row + layout.LABEL_SETS] = self._rows.count(layout.request)
        for cell, count in self._counts(vitals):
            self._grow(self._process + cell, cell, count)
        for name, figures in vitals.hooks.items():
            row, own = self._rows.find(layout.hook, _plugin_and_hook(name))
            if own:
                self._grow(row + layout.CALLS, (name, "calls"), figures.calls)
                self._grow(row + layout.ERRORS, (name, "errors"), figures.errors)
                self._grow(row + layout.SECONDS, (name, "seconds"), figures.seconds)
        self._look_at_deployments(vitals)

    def _look_at_deployments(self, vitals: Vitals) -> None:
        now, layout = self._gateway.clock.monotonic(), self._layout
        passed = now - self._looked_at
        for id in {*vitals.benched, *self._benched}:
            self._set(id, layout.BENCHED, float(id in vitals.benched))
        for id, left in vitals.benched.items():
            before = self._benched.get(id)
            if before is None or left > before - passed + _JITTER_SECONDS:
                status = self._rarely.last_status.get(id, "")
                row, _ = self._rows.find(layout.cooled, (*self._places.of(id), status))
                self._rows.cells[row] += 1.0
        for id in {*vitals.running, *self._busy}:
            self._set(id, layout.RUNNING, float(vitals.running.get(id, 0)))
        self._benched, self._busy, self._looked_at = dict(vitals.benched), set(vitals.running), now

    def _set(self, deployment: str, cell: int, value: float) -> None:
        row, own = self._rows.find(self._layout.deployment, self._places.of(deployment))
        if own:
            self._rows.cells[row + cell] = value

    def _begin(self, vitals: Vitals) -> None:
        """A new life of the plugin in an old process counts on from here; its earlier life counted the rest."""
        for cell, count in self._counts(vitals):
            self._seen[cell] = count
        for name, figures in vitals.hooks.items():
            self._seen[name, "calls"] = figures.calls
            self._seen[name, "errors"] = figures.errors
            self._seen[name, "seconds"] = figures.seconds

    def _counts(self, vitals: Vitals) -> tuple[tuple[int, float], ...]:
        layout = self._layout
        return (
            (layout.SHED, vitals.shed),
            (layout.EVENTS_LOST, vitals.events_lost),
            (layout.RECORDS_LOST, vitals.records_lost),
        )

    def _grow(self, cell: int, what: Hashable, count: float) -> None:
        before = self._seen.get(what, 0)
        if count != before:  # fewer than before: it was counted anew
            self._rows.cells[cell] += count - before if count > before else count
            self._seen[what] = count


def _plugin_and_hook(name: str) -> Labels:
    plugin, _, hook = name.rpartition(".")
    return plugin, hook

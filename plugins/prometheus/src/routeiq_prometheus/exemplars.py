"""The newest trace in each bucket of this worker, for OpenMetrics' exemplars.

They are samples, not sums: those of other workers are not gathered.
"""

from __future__ import annotations

from typing import NamedTuple


class Exemplar(NamedTuple):
    """One request's trace, its value in the bucket's unit, and when it came (Unix time in nanoseconds)."""

    trace_id: str
    value: float
    at: int


class Exemplars:
    """By cell; there is at most one a bucket."""

    def __init__(self) -> None:
        self._by_cell: dict[int, tuple[str, float, int]] = {}

    def note(self, cell: int, trace_id: str, value: float, at: int) -> None:
        """Remember the newest."""
        self._by_cell[cell] = (trace_id, value, at)

    def at(self, cell: int) -> Exemplar | None:
        """What was noted for a bucket."""
        found = self._by_cell.get(cell)
        return Exemplar(*found) if found is not None else None

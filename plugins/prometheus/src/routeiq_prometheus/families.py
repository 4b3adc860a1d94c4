"""Families of rows: sets of labels with numbers behind them, from which all metrics are summed when they are read.

A request adds to one row of each family it concerns; which metrics show a family is written in `catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Labels = tuple[str, ...]
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where a histogram lies in a row: one cell a bucket (not cumulated), one for what is above, one for the sum."""

    at: int
    bounds: tuple[float, ...]

    @property
    def sum(self) -> int:
        """The cell of the sum."""
        return self.at + len(self.bounds) + 1

    @property
    def width(self) -> int:
        """How many cells it takes."""
        return len(self.bounds) + 2


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Rows with the same labels and the same cells. A cell is a float64; counts and nano-USD are whole numbers in it.

    `folded` are the labels that become `other` once there are too many rows, `asked` those that then become it unless
    they name what is served. Rows of a `live` family say how their worker is now: they go with it, while the counts of
    other families stay. Of a `newest` family the row with the greatest first cell (a time) counts.
    """

    name: str
    labels: Labels
    width: int
    most: int
    folded: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    live: bool = False
    newest: bool = False

    @property
    def ordinary(self) -> int:
        """How many rows may have labels of their own; the rest is room for folded ones."""
        return self.most - self.most // 4 if self.folded else self.most - 1

    def fold(self, values: Labels, served: Callable[[str], bool]) -> Labels:
        """The labels of a row when there are too many: without what callers choose."""
        folded, asked = self.folded, self.asked
        return tuple(
            OTHER if value and (label in folded or (label in asked and not served(value))) else value
            for label, value in zip(self.labels, values, strict=True)
        )

    def everything_else(self) -> Labels:
        """The labels of the last row of all."""
        return (OTHER,) * len(self.labels)


class Width:
    """Counts the cells of a family while they are laid out."""

    def __init__(self, counters: int) -> None:
        self.cells = counters

    def buckets(self, bounds: Iterable[float]) -> Buckets:
        """Lay out a histogram behind what is there."""
        placed = Buckets(self.cells, tuple(bounds))
        self.cells += placed.width
        return placed

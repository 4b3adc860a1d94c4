"""The rows that this worker writes: labels found by look-up, numbers in cells that other workers may read.

Where the cells lie (memory of this process, or a file beside those of the other workers) is `shared`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from routeiq_prometheus.families import Family, Labels

if TYPE_CHECKING:
    OwnCells = memoryview[float]

LONGEST = 200
"""Characters of a label's value."""


class Journal(Protocol):
    """Where the labels of new rows are written down, in order."""

    def note(self, family: int, labels: Labels) -> None:
        """Write one row's labels down."""


class Rows:
    """Finds and adds rows. A row is the place of its first cell.

    `served` says whether a name of a model is one that the gateway serves. `kept` are rows that another process wrote
    into these cells before it ended: they go on from there.
    """

    def __init__(
        self,
        families: Sequence[Family],
        cells: OwnCells,
        served: Callable[[str], bool],
        journal: Journal | None = None,
        kept: Sequence[tuple[int, Labels]] = (),
    ) -> None:
        self.families = tuple(families)
        self.cells = cells
        self._served = served
        self._journal: Journal | None = None
        self._number = {family: number for number, family in enumerate(self.families)}
        self._known: tuple[dict[Labels, int], ...] = tuple({} for _ in self.families)
        self._in_order: list[tuple[int, Labels]] = []
        self._next = 0
        for number, labels in kept:
            self._add(number, labels)
        self._journal = journal

    def find(self, family: Family, labels: Labels) -> tuple[int, bool]:
        """The row of these labels, made when it is new; and whether it is theirs alone.

        When there are too many rows of the family it is a row of folded labels, at last the one of everything else.
        """
        labels = tuple([label[:LONGEST] for label in labels])
        number = self._number[family]
        known = self._known[number]
        row = known.get(labels)
        if row is not None:
            return row, True
        if len(known) < family.ordinary:
            return self._add(number, labels), True
        folded = family.fold(labels, self._served)
        row = known.get(folded)
        if row is None and len(known) < family.most - 1:
            row = self._add(number, folded)
        if row is None:
            rest = family.everything_else()
            row = known.get(rest)
            if row is None:
                row = self._add(number, rest)
        return row, False

    def count(self, family: Family) -> int:
        """How many rows a family has."""
        return len(self._known[self._number[family]])

    def known(self, family: Family, labels: Labels) -> int | None:
        """The row of these very labels, if there is one."""
        return self._known[self._number[family]].get(labels)

    def in_order(self) -> list[tuple[int, Labels]]:
        """Every row as its cells follow one another: the number of its family, its labels. Any thread may ask."""
        return self._in_order.copy()

    def _add(self, number: int, labels: Labels) -> int:
        if self._journal is not None:
            self._journal.note(number, labels)  # first: readers count cells by the rows that are written down
        row, self._next = self._next, self._next + self.families[number].width
        self._known[number][labels] = row
        self._in_order.append((number, labels))
        return row

"""What a metric is: a name, labels, and the cells of rows that are summed for it.

The metrics themselves are listed in `litellm_metrics` and `own_metrics`; how they look on the wire is `exposition`'s
business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from routeiq_prometheus.families import Buckets, Family, Labels
from routeiq_prometheus.places import Places

Kind = Literal["counter", "gauge", "histogram"]
Where = Callable[[Mapping[str, str]], bool]
Cells = Sequence[float]


@dataclass(frozen=True, slots=True)
class Source:
    """One family's part of a metric: the cell that counts (for a histogram where its buckets lie), in rows that
    `where` wants. `named` maps labels of the metric to labels of the family that have another name; a text in `fixed`
    is the label's value."""

    family: Family
    cell: int
    where: Where | None = None
    named: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)

    def value(self, row: Mapping[str, str], label: str) -> str:
        """The value of a metric's label in a row."""
        fixed = self.fixed.get(label)
        return row.get(self.named.get(label, label), "") if fixed is None else fixed


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known when metrics are read: the rows of all workers with their sums, how many workers live, and the
    deployments that are served."""

    rows: Mapping[Family, Mapping[Labels, Cells]]
    workers: int
    places: Places

    def total(self, family: Family, cell: int) -> float:
        """The sum of a cell over all rows of a family."""
        return sum(cells[cell] for cells in self.rows.get(family, {}).values())

    def by_first_label(self, family: Family, cell: int) -> dict[str, float]:
        """A cell of each row, by the row's first label."""
        return {labels[0]: cells[cell] for labels, cells in self.rows.get(family, {}).items()}


Computed = Callable[[Scene], Iterable[tuple[Labels, float]]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is as it is scraped, without a histogram's suffixes; counters end in `_total`.

    Its values are summed from `sources`, times `scale`; or they are `computed`. `absent` stands for a label's empty
    value. With `zeros` rows that stand at 0 are shown: an alert on growth needs a value to grow from.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    sources: tuple[Source, ...] = ()
    buckets: Buckets | None = None
    scale: float = 1.0
    absent: str = ""
    computed: Computed | None = None
    exemplars: bool = False
    zeros: bool = False

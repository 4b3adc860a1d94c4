"""From a file of recorded outcomes to a table: which rows are kept, and which models make the pool.

Formats are the business of `sources`, single rows that of `rows`. Memory does not grow with the file.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.training.rows import Checker, Models, Row
from routeiq_routing_ml.training.sources import records
from routeiq_routing_ml.training.table import Table, TrainingError
from routeiq_routing_ml.training.trainer import Progress, silent

MOST_ROWS: Final = 100_000
NEARLY_ALL: Final = 0.95
"""A model belongs to the pool when it has a score and a cost in this share of all rows."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A table and how it came about. `chosen` (n,) are the rows of the file, counted from 0, that the table holds.

    `rows` were read; of the `sampled` ones `skipped` lacked a model of the pool; `left_out` are models with the share
    of rows that have them, too few for the pool.
    """

    table: Table
    chosen: NDArray[np.intp]
    rows: int
    sampled: int
    skipped: int
    left_out: dict[str, float]

    @classmethod
    def of(cls, table: Table) -> Reading:
        """A table that was made in another way."""
        return cls(table, np.arange(len(table)), len(table), len(table), 0, {})

    def summary(self) -> str:
        """One line for people."""
        told = [f"{self.rows} rows read, {len(self.table)} kept"]
        if self.sampled < self.rows:
            told.append(f"{self.sampled} drawn at random")
        if self.skipped:
            told.append(f"{self.skipped} skipped for lack of a model's score")
        told += [f"model {model!r} left out (in {share:.0%} of the rows)" for model, share in self.left_out.items()]
        return ", ".join(told)


def read_table(
    path: Path | str,
    *,
    most: int = MOST_ROWS,
    seed: int = 0,
    models: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Table:
    """The table in a file; see `read`."""
    return read(path, most=most, seed=seed, models=models, progress=progress).table


def read(
    path: Path | str,
    *,
    most: int = MOST_ROWS,
    seed: int = 0,
    models: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Stream a file (.jsonl, .csv, each also .gz, or .parquet) into a table of at most `most` rows.

    Of more rows a random sample is kept (Li's Algorithm L, 1994), the same under one seed. The pool is `models`, or
    every model that has a score and a cost in 95 % of all rows; a row counts if it has all models of the pool. Raises
    `TrainingError` that names file and line.
    """
    path = Path(path)
    checker, sample = Checker(path, models), _Sample(most, seed)
    count = 0
    for record in records(path, progress or silent):
        checker.check(record)
        slot = sample.slot(count)
        if slot is not None:
            sample.kept[slot] = checker.row(count, record)
        count += 1
    if not count:
        raise TrainingError(f"{path}: no rows.", "record outcomes first: a query, and a score and a cost a model.")
    pool, left_out = _pool(path, checker.models, count, models)
    rows = sorted(sample.kept.values())
    columns = [checker.models.number[model] for model in pool]
    score, cost, outs = (
        _matrix(values, columns)
        for values in ([row.score for row in rows], [row.cost for row in rows], [row.tokens_out for row in rows])
    )
    whole = np.array(~np.isnan(score + cost).any(axis=1))
    if not whole.any():
        raise TrainingError(
            f"{path}: no row has a score for each of {', '.join(pool)}.", "let every model answer the same queries."
        )
    kept = [row for row, good in zip(rows, whole, strict=True) if good]
    tasks = [row.task for row in kept]
    outs = outs[whole]
    table = Table.of(
        [row.text for row in kept],
        pool,
        score[whole],
        cost[whole],
        tokens=np.array([row.tokens for row in kept]),
        tokens_out=None if np.isnan(outs).any() else outs,
        tasks=tasks if any(tasks) else None,
    )
    chosen = np.array([row.number for row in kept], dtype=np.intp)
    return Reading(table, chosen, count, len(rows), len(rows) - len(kept), left_out)


def _pool(
    path: Path, found: Models, count: int, wanted: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[str, float]]:
    shares = {model: found.rows[number] / count for model, number in found.number.items()}
    pool = tuple(wanted) if wanted is not None else tuple(m for m, share in shares.items() if share >= NEARLY_ALL)
    absent = [model for model in pool if not shares[model]]
    if absent:
        raise TrainingError(f"{path}: no row has a score of {absent[0]!r}.", "correct the list of models.")
    if len(pool) < 2:
        told = ", ".join(f"{model} in {share:.0%}" for model, share in shares.items()) or "none at all"
        raise TrainingError(
            f"{path}: a router needs two models that have a score in nearly every row; found: {told}.",
            f"let at least two models answer the same queries; {NEARLY_ALL:.0%} of the rows must have them.",
        )
    return pool, {model: share for model, share in shares.items() if model not in pool}


def _matrix(values: Sequence[Sequence[float]], columns: Sequence[int]) -> Floats:
    """Rows (n, m) of the chosen columns; rows from before a model was first met are short of it."""
    found = np.full((len(values), len(columns)), math.nan)
    for row, known in enumerate(values):
        for place, column in enumerate(columns):
            if column < len(known):
                found[row, place] = known[column]
    return found


class _Sample:
    """A reservoir of `most` rows, each row of the stream in it with the same probability."""

    def __init__(self, most: int, seed: int) -> None:
        if most < 1:
            raise TrainingError(f"a sample of {most} rows.", "keep at least one row.")
        self.kept: dict[int, Row] = {}
        self._most = most
        self._random = random.Random(seed)  # noqa: S311 - a sample, not a secret
        self._weight = 1.0
        self._next = most - 1
        self._jump()

    def slot(self, number: int) -> int | None:
        """Where the row with this number goes; `None` for nowhere."""
        if number < self._most:
            return number
        if number != self._next:
            return None
        self._jump()
        return self._random.randrange(self._most)

    def _jump(self) -> None:
        self._weight *= math.exp(math.log(1 - self._random.random()) / self._most)
        skipped = math.log(1 - self._random.random()) / math.log1p(-self._weight) if self._weight < 1 else 0
        self._next += 1 + math.floor(skipped)

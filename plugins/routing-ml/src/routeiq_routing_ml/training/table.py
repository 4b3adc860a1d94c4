"""The table that routers learn from: one prompt a row, a quality and a cost for each model.

How files are read into it is `reading`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.ngrams import normalised
from routeiq_routing_ml.model.router import tokens_of
from routeiq_routing_ml.scorers.base import Floats


class TrainingError(ValueError):
    """Data or settings that no router can be made of. `mend` says what to change."""

    def __init__(self, message: str, mend: str) -> None:
        self.mend = mend
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.args[0]} Mend: {self.mend}"


class Refused(TrainingError):
    """Sound data, and still no router: too little of it, or nothing gained over always calling one model."""


@dataclass(frozen=True, slots=True)
class Table:
    """`quality` (n, m) is 0..1, `cost` (n, m) US dollars; the columns are `models` in their order.

    `tokens` (n,) are prompt tokens, `tokens_out` (n, m) answer tokens if known; `tasks` names the kind of each prompt.
    """

    texts: Sequence[str]
    models: tuple[str, ...]
    quality: Floats
    cost: Floats
    tokens: Floats
    tokens_out: Floats | None = None
    tasks: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        models: Sequence[str],
        quality: Floats,
        cost: Floats,
        *,
        tokens: Floats | None = None,
        tokens_out: Floats | None = None,
        tasks: Sequence[str] | None = None,
    ) -> Table:
        """A checked table; prompt tokens are estimated when nobody counted them. Raises `TrainingError`."""
        quality, cost = np.asarray(quality, np.float64), np.asarray(cost, np.float64)
        counted = tokens_of(texts) if tokens is None else np.asarray(tokens, np.float64)
        found = cls(list(texts), tuple(models), quality, cost, counted, tokens_out, tasks)
        found._check()
        return found

    def _check(self) -> None:
        shape = (len(self.texts), len(self.models))
        for name, array in (("quality", self.quality), ("cost", self.cost), ("tokens_out", self.tokens_out)):
            if array is not None and array.shape != shape:
                raise TrainingError(f"{name} has the shape {array.shape}, not {shape}.", "give every row every model.")
        if len(self.models) < 2:
            raise TrainingError("the data has fewer than two models.", "record at least two models for each query.")
        if len(set(self.models)) != len(self.models):
            raise TrainingError("a model is named twice.", "give each model one column.")
        for name, array in (("score", self.quality), ("cost", self.cost), ("token count", self.tokens)):
            rows, *_ = np.nonzero(~np.isfinite(array) | (array < 0))
            if len(rows):
                raise TrainingError(
                    f"row {rows[0] + 1} has a {name} that is not a number of at least 0.", "correct or drop the row."
                )
        rows, _ = np.nonzero(self.quality > 1)
        if len(rows):
            raise TrainingError(f"row {rows[0] + 1} has a score above 1.", "scale all scores to 0..1.")

    def rows(self, chosen: NDArray[np.intp]) -> Table:
        """Some rows of it."""
        return replace(
            self,
            texts=[self.texts[row] for row in chosen],
            quality=self.quality[chosen],
            cost=self.cost[chosen],
            tokens=self.tokens[chosen],
            tokens_out=None if self.tokens_out is None else self.tokens_out[chosen],
            tasks=None if self.tasks is None else [self.tasks[row] for row in chosen],
        )

    def unique(self) -> tuple[Table, NDArray[np.intp]]:
        """The table with each prompt once (by normalised text; scores and costs averaged), and the first row of each.

        Twins on both sides of a split would let a router look its answers up.
        """
        groups: dict[str, list[int]] = {}
        for row, text in enumerate(self.texts):
            groups.setdefault(normalised(text), []).append(row)
        first = np.array([rows[0] for rows in groups.values()], dtype=np.intp)
        if len(first) == len(self):
            return self, first
        quality = np.array([self.quality[rows].mean(axis=0) for rows in groups.values()])
        cost = np.array([self.cost[rows].mean(axis=0) for rows in groups.values()])
        return replace(self.rows(first), quality=quality, cost=cost), first

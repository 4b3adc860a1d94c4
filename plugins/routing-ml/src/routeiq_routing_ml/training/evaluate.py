"""Measures a trained router on a table that it has not seen.

The figures themselves are in `metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.model.policy import Policy, Prediction
from routeiq_routing_ml.model.router import LearnedRouter
from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.training import metrics
from routeiq_routing_ml.training.table import Table, TrainingError
from routeiq_routing_ml.training.trainer import policy_curve


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`outcome` at lambda 0 against the best single model of the training data; `curve` over all lambdas."""

    outcome: metrics.Outcome
    curve: Floats
    chosen: NDArray[np.intp]
    prediction: Prediction
    by_task: dict[str, tuple[int, float, float]]
    """Task -> queries, the router's mean quality, the best single model's."""


def evaluate(router: LearnedRouter, table: Table, policy: Policy, embedded: NDArray[Any] | None = None) -> Evaluation:
    """Measure. The table must have every model of the pool; further ones are left out. Raises `TrainingError`."""
    table = in_pool(router, table)
    prediction = router.predict(router.points(table.texts, embedded), table.tokens)
    chosen = policy.choose(prediction, router.default)
    curve = policy_curve(prediction, table, policy, router.default)
    return Evaluation(
        metrics.outcome(curve, table.quality, table.cost, router.default),
        curve,
        chosen,
        prediction,
        by_task(table, chosen, router.default),
    )


def in_pool(router: LearnedRouter, table: Table) -> Table:
    """The table with the columns of the router's pool, in its order. Raises `TrainingError`."""
    missing = [model for model in router.models if model not in table.models]
    if missing:
        raise TrainingError(
            f"the data lacks models of the artifact's pool: {', '.join(missing)}.", "evaluate on data of the same pool."
        )
    columns = [table.models.index(model) for model in router.models]
    return Table(
        table.texts,
        router.models,
        table.quality[:, columns],
        table.cost[:, columns],
        table.tokens,
        None if table.tokens_out is None else table.tokens_out[:, columns],
        table.tasks,
    )


def by_task(table: Table, chosen: NDArray[np.intp], default: int) -> dict[str, tuple[int, float, float]]:
    """Task -> queries, mean quality of the chosen models, mean quality of the default; empty without tasks."""
    if table.tasks is None:
        return {}
    tasks = np.asarray(table.tasks)
    got = table.quality[np.arange(len(table)), chosen]
    return {
        str(task): (int(here.sum()), float(got[here].mean()), float(table.quality[here, default].mean()))
        for task in np.unique(tasks)
        for here in [tasks == task]
    }

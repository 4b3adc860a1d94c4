"""A model more in a trained router of clusters: one column from some labelled prompts, without training again.

UniRoute (arXiv 2502.08773) knows a model by its qualities on clusters of prompts; all else stays as it was trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.ngrams import normalised
from routeiq_routing_ml.model.calibration import Calibration
from routeiq_routing_ml.model.costs import Costs
from routeiq_routing_ml.model.router import LearnedRouter
from routeiq_routing_ml.scorers.base import Floats, single
from routeiq_routing_ml.scorers.clusters import Clusters, table
from routeiq_routing_ml.training.rows import Checker, Row
from routeiq_routing_ml.training.sources import records
from routeiq_routing_ml.training.table import Refused, TrainingError
from routeiq_routing_ml.training.trainer import Progress, silent

LEAST_PROMPTS: Final = 50
_MOST_PROMPTS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Labelled:
    """Different prompts with one model's outcomes: `quality`, `cost` in US dollars, `tokens`, `tokens_out`, all (n,).

    `chosen` (n,) are the rows of the file, counted from 0, of `rows` in all; `tokens_out` is `None` where unknown.
    """

    texts: list[str]
    quality: Floats
    cost: Floats
    tokens: Floats
    tokens_out: Floats | None
    chosen: NDArray[np.intp]
    rows: int


def read_labelled(path: Path, model: str, progress: Progress = silent) -> Labelled:
    """The rows of a file that have a score of `model`, each prompt once. Raises `TrainingError`, `Refused` for few."""
    checker, kept, count = Checker(path, None), dict[str, Row](), 0
    for record in records(path, progress):
        checker.check(record)
        if record[1]["scores"].get(model) is not None and len(kept) < _MOST_PROMPTS:
            row = checker.row(count, record)
            kept.setdefault(normalised(row.text), row)
        count += 1
    if len(kept) < LEAST_PROMPTS:
        raise Refused(
            f"{path}: {len(kept)} different prompts have a score of {model!r}; {LEAST_PROMPTS} are needed.",
            "let the model answer more of the prompts.",
        )
    rows, column = list(kept.values()), checker.models.number[model]
    outs = np.array([row.tokens_out[column] for row in rows])
    return Labelled(
        [row.text for row in rows],
        np.array([row.score[column] for row in rows]),
        np.array([row.cost[column] for row in rows]),
        np.array([row.tokens for row in rows]),
        None if np.isnan(outs).any() else outs,
        np.array([row.number for row in rows], dtype=np.intp),
        count,
    )


def with_model(
    router: LearnedRouter, model: str, labelled: Labelled, embedded: NDArray[np.float32] | None = None
) -> LearnedRouter:
    """The router with `model` as its last. Raises `TrainingError` for a name it has and for other strategies."""
    if model in router.models:
        raise TrainingError(f"the router has a model {model!r} already.", "choose another name, or train again.")
    if not isinstance(router.scorer, Clusters):
        raise TrainingError(
            "only routers of the strategy kmeans take a new model without training.",
            "train again on data that holds the new model, or use --strategy kmeans from the start.",
        )
    points = router.points(labelled.texts, embedded)
    scorer = router.scorer.with_model(points, labelled.quality)
    errors = scorer.scores(points)[:, -1] - labelled.quality
    return replace(
        router,
        models=(*router.models, model),
        scorer=scorer,
        calibration=Calibration(np.append(router.calibration.slope, 1.0), np.append(router.calibration.intercept, 0.0)),
        costs=_with_costs(router.costs, router.costs.votes(points), labelled),
        doubt=replace(router.doubt, noise=np.append(router.doubt.noise, errors.std())),
    )


def _with_costs(costs: Costs, votes: Floats, labelled: Labelled) -> Costs:
    """The tables with one more column; dollars a prompt token are fitted as `Costs.fit` does."""
    dollars = table(votes, labelled.cost[:, None])
    longer = labelled.tokens - votes @ costs.tokens_in.astype(np.float64)
    above = labelled.cost - (votes @ dollars)[:, 0]
    slope = max(0.0, float(longer @ above) / max(1e-9, float(longer @ longer)))
    outs = np.zeros((0, len(costs.slope) + 1), np.float32)
    if len(costs.tokens_out) and labelled.tokens_out is not None:
        outs = np.column_stack([costs.tokens_out, table(votes, labelled.tokens_out[:, None])])
    return replace(
        costs,
        dollars=np.column_stack([costs.dollars, dollars]),
        slope=single(np.append(costs.slope, slope if math.isfinite(slope) else 0.0)),
        tokens_out=outs,
    )

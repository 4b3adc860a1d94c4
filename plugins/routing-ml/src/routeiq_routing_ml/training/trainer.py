"""Trains a router: space, scorer, calibration, costs and doubt, judged on prompts that each part had not seen.

Reading data, writing artifacts and drawing reports are the business of the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points, Space
from routeiq_routing_ml.model.calibration import Calibration, reliability
from routeiq_routing_ml.model.costs import Costs
from routeiq_routing_ml.model.doubt import Doubt
from routeiq_routing_ml.model.packing import CUSTOM
from routeiq_routing_ml.model.policy import Policy, Prediction
from routeiq_routing_ml.model.router import LearnedRouter
from routeiq_routing_ml.scorers.base import Floats, Lesson, Scorer
from routeiq_routing_ml.scorers.clusters import find_centers
from routeiq_routing_ml.scorers.registry import KINDS
from routeiq_routing_ml.training import metrics
from routeiq_routing_ml.training.table import Refused, Table, TrainingError

LEAST_QUERIES = 400
"""Below it a learned router loses against always calling the best single model."""
FOLDS = 4
_NOTHING = 1e-6
"""A gain below it is a rounding error of sums."""
ECONOMY = 0.95
"""The profile `economy` keeps this share of the best single model's quality."""

Progress = Callable[[str, int, int], None]
"""Hears of a step's name, how far it is, and how far it goes."""


def silent(step: str, done: int, of: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the trainer is told beside the data. `jobs` are workers of joblib; -1 takes every one there is.

    `custom` fits the scorer of the strategy `custom`; it must be picklable where `jobs` are processes.
    """

    strategy: str = "ensemble"
    seed: int = 0
    jobs: int = 1
    policy: Policy = field(default_factory=Policy)
    least_queries: int = LEAST_QUERIES
    folds: int = FOLDS
    custom: Callable[[Lesson], Scorer] | None = None

    @property
    def fit(self) -> Callable[[Lesson], Scorer]:
        """How the strategy learns. Raises `TrainingError` when there is no such strategy."""
        if self.strategy == CUSTOM and self.custom is not None:
            return self.custom
        if self.strategy not in KINDS:
            raise TrainingError(f"there is no strategy {self.strategy!r}.", f"choose among: {', '.join(KINDS)}.")
        return KINDS[self.strategy].fit


@dataclass(frozen=True, slots=True)
class Trained:
    """A router and what is known of it. `unseen` are predictions (n, m) for prompts that their folds had not seen.

    `outcome` and `curve` are the cross-validated figures; `weights` are lambdas by profile, in quality a US dollar.
    """

    router: LearnedRouter
    settings: Settings
    table: Table
    unseen: Prediction
    outcome: metrics.Outcome
    curve: Floats
    weights: dict[str, float]
    calibration_error: float

    @property
    def gains(self) -> bool:
        """Whether it beats always calling the best single model: better answers, or the same ones for less."""
        return max(self.outcome.gap, self.outcome.save) > _NOTHING

    def refuse(self) -> None:
        """Raise `Refused` unless the router is worth having."""
        if not self.gains:
            raise Refused(
                f"the router does not beat always calling {self.router.models[self.router.default]!r}: quality "
                f"{self.outcome.quality:.3f} against {self.outcome.best_single:.3f} on unseen queries, no cost saved.",
                "record more queries, or models that differ more.",
            )


def train(
    table: Table,
    settings: Settings,
    embedded: NDArray[Any] | None = None,
    progress: Progress = silent,
    space: Space | None = None,
) -> Trained:
    """Train a router on a table; `embedded` (n, e) are an embedder's vectors of its texts.

    `space` is one that was fitted on these texts before, for another strategy: it does not depend on the strategy.

    Raises `Refused` for too few queries or scores without any difference, `TrainingError` for data or settings without
    sense. Whether the router gains anything is for the caller to ask (`Trained.refuse`).
    """
    fit = settings.fit
    table, first = table.unique()
    if len(table) < settings.least_queries:
        raise Refused(
            f"{len(table)} different queries; a learned router needs at least {settings.least_queries}.",
            "record more queries.",
        )
    if (table.quality == table.quality[:, :1]).all():
        raise Refused(
            "all models have the same score in every row: there is nothing to choose between.",
            "check how the scores were made, or record models that differ.",
        )
    progress("features", 0, 1)
    vectors = None if embedded is None else np.asarray(embedded)[first]
    space = space or Space.fit(table.texts, vectors, settings.seed)
    points = space.points(table.texts, vectors)
    progress("features", 1, 1)

    lesson = Lesson(points, table.quality, settings.seed, settings.jobs)
    scores, costs = _unseen(lesson, table, settings, fit, progress)
    progress("fit", 0, 1)
    calibration = Calibration.fit(scores, table.quality)
    default = metrics.best_single(table.quality, table.cost)
    router = _final(lesson, table, settings, space, calibration, scores, default)
    progress("fit", 1, 1)

    quality = calibration.apply(scores)
    similarities = points.z @ router.costs.centers.T
    unseen = Prediction(quality, costs, router.doubt.uncertainty(points), router.doubt.is_new(similarities))
    curve = policy_curve(unseen, table, settings.policy, default)
    return Trained(
        router,
        settings,
        table,
        unseen,
        metrics.outcome(curve, table.quality, table.cost, default),
        curve,
        profile_weights(unseen, table, settings.policy, default),
        reliability(quality, table.quality)[1],
    )


def policy_curve(prediction: Prediction, table: Table, policy: Policy, default: int | None) -> Floats:
    """Points (k, 2) of mean true (cost, quality) that a policy reaches over all weights of cost, 0 first."""
    points = [
        metrics.point(replace(policy, weight=float(weight)).choose(prediction, default), table.quality, table.cost)
        for weight in metrics.lambdas(prediction.cost)
    ]
    return np.array(points)


def profile_weights(prediction: Prediction, table: Table, policy: Policy, default: int) -> dict[str, float]:
    """Lambdas by profile: the largest whose quality on unseen prompts is still what the profile promises.

    `quality` weighs no cost, `balanced` keeps the best single model's quality, `economy` 95 % of it.
    """
    best = float(table.quality[:, default].mean())
    weights = metrics.lambdas(prediction.cost)
    reached = policy_curve(prediction, table, replace(policy, cautious=True), default)[:, 1]

    def largest(promise: float) -> float:
        kept = np.flatnonzero(reached >= promise)
        return float(weights[kept[-1]]) if len(kept) else 0.0

    return {"quality": 0.0, "balanced": largest(best), "economy": largest(ECONOMY * best)}


def _unseen(
    lesson: Lesson, table: Table, settings: Settings, fit: Callable[[Lesson], Scorer], progress: Progress
) -> tuple[Floats, Floats]:
    """Scores and costs (n, m) of every prompt, predicted by a fit that had not seen it."""
    order = np.random.default_rng(settings.seed).permutation(len(table))
    folds = np.array_split(order, settings.folds)
    scores, costs = np.zeros_like(table.quality), np.zeros_like(table.cost)
    progress("cross-validation", 0, len(folds))
    for done, (held_out, predicted) in enumerate(
        zip(folds, _each_fold(lesson, table, settings.jobs, fit, folds), strict=True), start=1
    ):
        scores[held_out], costs[held_out] = predicted
        progress("cross-validation", done, len(folds))
    return scores, costs


def _each_fold(
    lesson: Lesson, table: Table, jobs: int, fit: Callable[[Lesson], Scorer], folds: Sequence[NDArray[np.intp]]
) -> Iterator[tuple[Floats, Floats]]:
    """The predictions of each fold in order. With several workers a fold is one task, and works alone."""
    from joblib import Parallel, delayed

    alone = replace(lesson, jobs=1)
    centers = find_centers(lesson.points, lesson.seed)
    tasks = (delayed(_fold)(alone, table.cost, table.tokens, fit, held_out, centers) for held_out in folds)
    if jobs == 1:
        return (task(*args, **more) for task, args, more in tasks)
    found: Iterator[tuple[Floats, Floats]] = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return found


def _fold(
    lesson: Lesson,
    cost: Floats,
    tokens: Floats,
    fit: Callable[[Lesson], Scorer],
    held_out: NDArray[np.intp],
    centers: NDArray[np.float32],
) -> tuple[Floats, Floats]:
    seen = np.setdiff1d(np.arange(len(lesson.points)), held_out)
    scorer = fit(lesson[seen])
    learned = Costs.fit(lesson.points[seen], cost[seen], tokens[seen], None, lesson.seed, centers)
    votes = learned.votes(lesson.points[held_out])
    return in_chunks(scorer, lesson.points[held_out]), learned.expected(votes, tokens[held_out])


def _final(
    lesson: Lesson,
    table: Table,
    settings: Settings,
    space: Space,
    calibration: Calibration,
    scores: Floats,
    default: int,
) -> LearnedRouter:
    costs = Costs.fit(lesson.points, table.cost, table.tokens, table.tokens_out, settings.seed)
    similarities = lesson.points.z @ costs.centers.T
    return LearnedRouter(
        models=table.models,
        default=default,
        space=space,
        scorer=settings.fit(lesson),
        calibration=calibration,
        costs=costs,
        doubt=Doubt.fit(lesson.points, calibration.apply(scores) - table.quality, similarities),
    )


def in_chunks(scorer: Scorer, points: Points, size: int = 1024) -> Floats:
    """Scores (n, m) without holding all similarities at once."""
    parts = [scorer.scores(points[start : start + size]) for start in range(0, len(points), size)]
    return np.concatenate(parts)

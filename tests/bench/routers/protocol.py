"""One trained router on one test part: its outcome, the pair figures where there are two models, the time a decision
takes. Averages over seeds and verdicts live elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from bench.routers.entrants import Entrant
from bench.routers.recipe import Array
from bench.routers.views import Cut, Part
from routeiq_routing_ml.training import metrics
from routeiq_routing_ml.training.metrics import Outcome

TIMED_DECISIONS = 60
WARM_UP = 5


@dataclass(frozen=True)
class PairFigures:
    """RouteLLM's figures: average performance gap recovered, and the share of strong calls for half and 80 % of it."""

    apgr: float
    cpt50: float
    cpt80: float


@dataclass(frozen=True)
class Run:
    """A router on the split of a seed.

    `cost_share` is the mean cost over that of the best single model; `us` the microseconds of a decision, 10th
    percentile. What a router does not have is `None`; without a curve `d_aiq` and `save` say nothing.
    """

    router: str
    seed: int
    outcome: Outcome
    cost_share: float
    pair: PairFigures | None = None
    us: float | None = None
    has_curve: bool = True

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def measure(name: str, entrant: Entrant, cut: Cut) -> Run:
    best = metrics.best_single(cut.train.quality, cut.train.cost)
    test = cut.test
    weights = metrics.lambdas(cut.train.cost)
    points = np.array([metrics.point(entrant.decide(test, float(lam)), test.quality, test.cost) for lam in weights])
    outcome = metrics.outcome(points, test.quality, test.cost, best)
    return Run(
        router=name,
        seed=cut.seed,
        outcome=outcome,
        cost_share=outcome.cost / float(test.cost[:, best].mean()),
        pair=pair_figures(entrant.scores(test)[0], test, best) if test.quality.shape[1] == 2 else None,
        us=float(np.percentile(decision_times(entrant, test), 10)),
    )


def references(cut: Cut) -> list[Run]:
    """What needs no router: a coin, the cheapest model, the best single model, and the oracle that knows all."""
    best = metrics.best_single(cut.train.quality, cut.train.cost)
    quality, cost = cut.test.quality, cut.test.cost
    singles = metrics.single_models(quality, cost)
    cheapest = int(cut.train.cost.mean(axis=0).argmin())
    rows: list[tuple[str, Array, bool]] = [
        ("random", singles.mean(axis=0)[None, :], False),
        ("cheapest", singles[cheapest][None, :], False),
        ("best single", singles[best][None, :], False),
        ("oracle", metrics.curve(quality, cost, quality, cost), True),
    ]
    made = []
    for name, points, has_curve in rows:
        outcome = metrics.outcome(points, quality, cost, best)
        made.append(Run(name, cut.seed, outcome, outcome.cost / float(singles[best, 0]), has_curve=has_curve))
    return made


def pair_figures(scores: Array, test: Part, strong: int) -> PairFigures:
    """From scores (n, 2); `strong` is the column of the best single model."""
    preference = scores[:, strong] - scores[:, 1 - strong]
    columns = preference, test.quality[:, 1 - strong], test.quality[:, strong]
    return PairFigures(metrics.apgr(*columns), metrics.cpt(*columns, 0.5), metrics.cpt(*columns, 0.8))


def decision_times(entrant: Entrant, part: Part, count: int = TIMED_DECISIONS) -> Array:
    """Microseconds of single decisions about different queries, features given."""
    rows = np.linspace(0, len(part.tokens) - 1, count + WARM_UP).astype(int)
    singles = [entrant.single(part, int(row)) for row in rows]
    return np.array([_microseconds(single) for single in singles][WARM_UP:])


def _microseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - began) / 1000


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values))

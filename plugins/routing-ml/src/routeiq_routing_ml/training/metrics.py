"""How good a router is: what it chooses, what that yields and costs, and the figures made of it.

Pure functions of numpy arrays live here. Nothing trains, loads, prints or decides what is good enough.

Everywhere `n` is queries and `m` is models. Quality is in 0..1, cost in any unit of money, the same for all arrays of a
call. A point is (mean cost, mean quality); points are arrays (k, 2).

Sources: RouterBench (arXiv 2403.12031) for the non-decreasing convex hull, AIQ and the Zero router; RouteLLM (arXiv
2406.18665) for PGR, APGR and CPT; RouterArena (arXiv 2510.00202) for the share of decisions that noise leaves alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_TIE = 1e-12
_LAMBDA_STEPS = 97
_LAMBDA_LOW, _LAMBDA_HIGH = 1e-3, 1e5


@dataclass(frozen=True)
class Outcome:
    """One router on the test part of one split.

    `quality` and `cost` are means a query at lambda 0. `best_single` and `oracle` are the mean quality of the best
    single model (chosen on the training part) and of the best choice a query. `gap` is the share of the way from one
    to the other; `d_aiq` the area gained over the Zero router; `save` the share of the best single model's cost saved
    at its quality.
    """

    quality: float
    cost: float
    best_single: float
    oracle: float
    gap: float
    d_aiq: float
    save: float


def choose(quality: npt.ArrayLike, cost: npt.ArrayLike, lam: float = 0.0) -> Indices:
    """The model of each query with the highest quality - lam x cost; (n, m), (n, m) -> (n,).

    Ties go to the cheaper model, then to the first in the order of the pool. `lam` is quality a unit of cost, >= 0.
    """
    quality_, cost_ = _table(quality, "quality"), _table(cost, "cost")
    if quality_.shape != cost_.shape:
        raise ValueError(f"quality is {quality_.shape} and cost {cost_.shape}: give both the shape (queries, models)")
    if not 0 <= lam < math.inf:
        raise ValueError(f"lam is {lam}: give a finite number of at least 0")
    utility = quality_ - lam * cost_
    best = utility.max(axis=1, keepdims=True)
    tied = utility >= best - _TIE * np.maximum(1.0, np.abs(best))
    cheapest: Indices = np.where(tied, cost_, np.inf).argmin(axis=1)
    return cheapest


def point(chosen: npt.ArrayLike, quality: npt.ArrayLike, cost: npt.ArrayLike) -> tuple[float, float]:
    """Mean (cost, quality) of the chosen models; (n,), (n, m), (n, m)."""
    quality_, cost_ = _table(quality, "quality"), _table(cost, "cost")
    columns = np.asarray(chosen, dtype=np.intp)
    rows = np.arange(len(columns))
    return float(cost_[rows, columns].mean()), float(quality_[rows, columns].mean())


def lambdas(cost: npt.ArrayLike) -> Array:
    """The weights of cost that draw a curve: 0, then a geometric grid from "hardly any" to "only cost counts"; (n, m).

    The grid is relative to the distance between the dearest and the cheapest model: the unit of cost does not matter.
    """
    means = _table(cost, "cost").mean(axis=0)
    spread = float(means.max() - means.min())
    if spread <= 0:
        return np.zeros(1)
    return np.concatenate([np.zeros(1), np.geomspace(_LAMBDA_LOW, _LAMBDA_HIGH, _LAMBDA_STEPS) / spread])


def curve(
    pred_quality: npt.ArrayLike,
    pred_cost: npt.ArrayLike,
    true_quality: npt.ArrayLike,
    true_cost: npt.ArrayLike,
    lambdas_: Sequence[float] | Array | None = None,
) -> Array:
    """Points (k, 2) of mean true (cost, quality), one for each weight of cost; all arguments (n, m).

    The first point is that of lambda 0 unless `lambdas_` say otherwise.
    """
    weights = lambdas(pred_cost) if lambdas_ is None else np.asarray(lambdas_, dtype=np.float64)
    chosen = (choose(pred_quality, pred_cost, float(lam)) for lam in weights)
    return np.array([point(columns, true_quality, true_cost) for columns in chosen])


def hull(points: npt.ArrayLike) -> Array:
    """The non-decreasing convex hull of points (k, 2): what mixing them at random can reach, sorted by cost.

    RouterBench, section 3. Each kept point costs more and yields more than the one before, with falling slope.
    """
    points_ = _points(points)
    kept: list[tuple[float, float]] = []
    for index in np.lexsort((-points_[:, 1], points_[:, 0])):
        cost, quality = float(points_[index, 0]), float(points_[index, 1])
        if kept and quality <= kept[-1][1] + _TIE:
            continue
        while len(kept) > 1 and _below(kept[-2], kept[-1], (cost, quality)):
            kept.pop()
        kept.append((cost, quality))
    return np.array(kept)


def aiq(points: npt.ArrayLike, low: float, high: float) -> float:
    """Average quality over the costs `low`..`high`: the area under the hull of points (k, 2), divided by the range.

    RouterBench's AIQ, over the cost range of the single models. To the right of the hull its last quality holds; to the
    left of it nothing is reached, which counts as 0. A range of no width yields the hull's quality at `low`.
    """
    corners = hull(points)
    rounding = _TIE * max(1.0, abs(high))
    if (
        high - low <= rounding
    ):  # means of equal costs differ in their last digit, and left of the hull nothing is reached
        return _quality_at(corners, low + rounding)
    inside = corners[(corners[:, 0] > low) & (corners[:, 0] < high), 0]
    edges = np.concatenate([[max(low, min(corners[0, 0], high))], inside, [high]])
    values = np.array([_quality_at(corners, cost) for cost in edges])
    return float(np.sum((values[1:] + values[:-1]) / 2 * np.diff(edges)) / (high - low))


def single_models(true_quality: npt.ArrayLike, true_cost: npt.ArrayLike) -> Array:
    """The points (m, 2) of always calling one model."""
    return np.column_stack([_table(true_cost, "cost").mean(axis=0), _table(true_quality, "quality").mean(axis=0)])


def zero_router(true_quality: npt.ArrayLike, true_cost: npt.ArrayLike) -> Array:
    """RouterBench's Zero router: the hull (k, 2) of the single models, reached by mixing them without any knowledge."""
    return hull(single_models(true_quality, true_cost))


def d_aiq(points: npt.ArrayLike, true_quality: npt.ArrayLike, true_cost: npt.ArrayLike) -> float:
    """How much AIQ points (k, 2) gain over the Zero router, over the cost range of the single models; (n, m)."""
    singles = single_models(true_quality, true_cost)
    low, high = float(singles[:, 0].min()), float(singles[:, 0].max())
    return aiq(points, low, high) - aiq(singles, low, high)


def save(points: npt.ArrayLike, quality: float, cost: float) -> float:
    """The share of `cost` that is saved where the hull of points (k, 2) reaches `quality`, in 0..1.

    0 when it never does, and 0 when it does so only at a higher cost: nobody has to use a router that saves nothing.
    """
    corners = hull(points)
    if cost <= 0 or quality > corners[-1, 1] + _TIE:
        return 0.0
    needed = float(np.interp(quality, corners[:, 1], corners[:, 0]))
    return max(0.0, 1.0 - needed / cost)


def best_single(quality: npt.ArrayLike, cost: npt.ArrayLike) -> int:
    """The model (column) with the highest mean quality, ties to the cheaper one; (n, m), (n, m) of TRAINING data."""
    means = single_models(quality, cost)
    return int(choose(means[None, :, 1], means[None, :, 0])[0])


def oracle(true_quality: npt.ArrayLike, true_cost: npt.ArrayLike) -> Indices:
    """The best model of each query with all outcomes known, ties to the cheaper one; -> (n,)."""
    return choose(true_quality, true_cost)


def gap(quality: float, best: float, ceiling: float) -> float:
    """(router - best single) / (oracle - best single); 0 where there is nothing to gain."""
    room = ceiling - best
    return 0.0 if room <= _TIE else (quality - best) / room


def outcome(points: npt.ArrayLike, true_quality: npt.ArrayLike, true_cost: npt.ArrayLike, best: int) -> Outcome:
    """All figures of one router: points (k, 2) with that of lambda 0 first, (n, m), (n, m), column of the best single.

    `best` must come from training data (`best_single`), or the yardstick has seen the answers.
    """
    points_ = _points(points)
    cost, quality = float(points_[0, 0]), float(points_[0, 1])
    best_cost, best_quality = (float(value) for value in single_models(true_quality, true_cost)[best])
    ceiling = point(oracle(true_quality, true_cost), true_quality, true_cost)[1]
    return Outcome(
        quality=quality,
        cost=cost,
        best_single=best_quality,
        oracle=ceiling,
        gap=gap(quality, best_quality, ceiling),
        d_aiq=d_aiq(points_, true_quality, true_cost),
        save=save(points_, best_quality, best_cost),
    )


def pair_curve(preference: npt.ArrayLike, weak: npt.ArrayLike, strong: npt.ArrayLike) -> tuple[Array, Array]:
    """A pair of models: share of strong calls (k,) rising from 0 to 1, and the mean quality there (k,); all (n,).

    The strong model gets the queries with the highest `preference` first. Equal preferences are indistinguishable: they
    become one straight step, the mean over all their orders.
    """
    preference_, weak_, strong_ = (np.asarray(column, dtype=np.float64) for column in (preference, weak, strong))
    if not len(preference_) or not preference_.shape == weak_.shape == strong_.shape:
        raise ValueError("preference, weak and strong must be columns of one length with at least one query")
    order = np.argsort(-preference_, kind="stable")
    gained = np.concatenate([[0.0], np.cumsum((strong_ - weak_)[order])])
    last_of_tie = np.flatnonzero(np.append(np.diff(preference_[order]) != 0, True)) + 1
    stops = np.concatenate([[0], last_of_tie])
    return stops / len(order), weak_.mean() + gained[stops] / len(order)


def pgr(preference: npt.ArrayLike, weak: npt.ArrayLike, strong: npt.ArrayLike, share: float) -> float:
    """RouteLLM's performance gap recovered at a share 0..1 of strong calls: (router - weak) / (strong - weak)."""
    shares, recovered = _recovered(preference, weak, strong)
    return float(np.interp(share, shares, recovered))


def apgr(preference: npt.ArrayLike, weak: npt.ArrayLike, strong: npt.ArrayLike) -> float:
    """RouteLLM's average PGR over all shares of strong calls; 0.5 is what a coin reaches."""
    shares, recovered = _recovered(preference, weak, strong)
    return float(np.sum((recovered[1:] + recovered[:-1]) / 2 * np.diff(shares)))


def cpt(preference: npt.ArrayLike, weak: npt.ArrayLike, strong: npt.ArrayLike, x: float) -> float:
    """RouteLLM's call-performance threshold: the least share of strong calls whose PGR reaches `x`; 1 if none does."""
    shares, recovered = _recovered(preference, weak, strong)
    reached = np.flatnonzero(recovered >= x - _TIE)
    if not len(reached):
        return 1.0
    at = int(reached[0])
    if at == 0:
        return 0.0
    return float(np.interp(x, recovered[at - 1 : at + 1], shares[at - 1 : at + 1]))


def unchanged(before: npt.ArrayLike, after: npt.ArrayLike) -> float:
    """RouterArena's robustness: the share of decisions (n,) that are the same after the text was disturbed (n,)."""
    return float(np.mean(np.asarray(before) == np.asarray(after)))


def _recovered(preference: npt.ArrayLike, weak: npt.ArrayLike, strong: npt.ArrayLike) -> tuple[Array, Array]:
    shares, quality = pair_curve(preference, weak, strong)
    distance = quality[-1] - quality[0]
    if abs(distance) <= _TIE:
        raise ValueError("the strong model is as good as the weak one: there is no gap to recover")
    return shares, (quality - quality[0]) / distance


def _below(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Whether `middle` lies on or below the line from `left` to `right`; each is (cost, quality)."""
    rise = (middle[1] - left[1]) * (right[0] - left[0])
    return rise <= (right[1] - left[1]) * (middle[0] - left[0])


def _quality_at(corners: Array, cost: float) -> float:
    if cost < corners[0, 0]:
        return 0.0
    return float(np.interp(cost, corners[:, 0], corners[:, 1]))


def _points(points: npt.ArrayLike) -> Array:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(f"points have the shape {array.shape}: give (k, 2) of (cost, quality), k >= 1")
    return array


def _table(values: npt.ArrayLike, name: str) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} has the shape {array.shape}: give (queries, models), at least one of each")
    return array

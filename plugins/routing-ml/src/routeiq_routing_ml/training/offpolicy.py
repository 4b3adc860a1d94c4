"""What another policy would have earned, told from the log of the one that ran: SNIPS, doubly robust, and how sure.

Pure functions of numpy arrays; nothing here reads a log. Everywhere `n` is decisions and `m` is models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.scorers.base import Floats

LEAST_EFFECTIVE = 100.0
"""Effective decisions below which no value is given."""
_DRAWS = 1000
_CHUNK = 1 << 22


class TooFewEffective(ValueError):
    """The log says too little about the policy: they seldom agree, or only where the log's choice was a rarity."""

    def __init__(self, effective: float, floor: float) -> None:
        self.effective = effective
        self.floor = floor
        super().__init__(
            f"an effective sample of {effective:.0f} decisions, where at least {floor:.0f} are needed. Mend: log more "
            f"decisions, explore a larger share, or compare a policy that is nearer to the one that ran."
        )


@dataclass(frozen=True, slots=True)
class Log:
    """Logged decisions: `propensity` (n,) of the `chosen` (n,) columns, and the `reward` (n,) that each earned.

    Leave out decisions whose chosen model did not answer: their reward is another model's. Raises `ValueError`.
    """

    propensity: Floats
    chosen: NDArray[np.intp]
    reward: Floats

    def __post_init__(self) -> None:
        shapes = {np.shape(self.propensity), np.shape(self.chosen), np.shape(self.reward)}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1 or not len(self.propensity):
            raise ValueError(f"a log of shapes {sorted(shapes)}: give three arrays (n,) of one length, not empty")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise ValueError("a propensity that is not above 0 and at most 1")
        if not np.isfinite(self.reward).all():
            raise ValueError("a reward that is not finite")
        if np.asarray(self.chosen).dtype.kind not in "iu" or (np.asarray(self.chosen) < 0).any():
            raise ValueError("a chosen model that is no column")

    def __len__(self) -> int:
        return len(self.propensity)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A policy's mean reward a decision, with an interval. `effective` is Kish's effective sample size, `agreeing` the
    share of logged decisions that the policy would have made alike.
    """

    value: float
    low: float
    high: float
    effective: float
    agreeing: float


def weights(log: Log, choice: NDArray[np.intp]) -> Floats:
    """Importance weights (n,): 1 / propensity where the policy's `choice` (n,) is the logged one, else 0."""
    choice = np.asarray(choice)
    if choice.shape != log.chosen.shape or choice.dtype.kind not in "iu":
        raise ValueError(f"choices of shape {choice.shape} for {len(log)} decisions, or no columns")
    return np.where(choice == log.chosen, 1 / log.propensity, 0.0)


def effective(weights: Floats) -> float:
    """Kish's effective sample size: (sum w)^2 / sum w^2; 0 for weights that are all 0."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def snips(
    log: Log,
    choice: NDArray[np.intp],
    *,
    floor: float = LEAST_EFFECTIVE,
    draws: int = _DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Self-normalised inverse propensity score: sum w r / sum w (Swaminathan and Joachims, NIPS 2015). The
    interval is the percentile bootstrap's over decisions.

    Raises `TooFewEffective` below `floor` effective decisions.
    """
    found = weights(log, choice)
    return _estimate(found, np.column_stack([found * log.reward, found]), _ratio, floor, draws, level, seed)


def doubly_robust(
    log: Log,
    choice: NDArray[np.intp],
    estimates: Floats,
    *,
    floor: float = LEAST_EFFECTIVE,
    draws: int = _DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """The mean of q(x, policy's choice) + w (r - q(x, logged choice)) (Dudik, Langford and Li 2011, arXiv 1103.4601):
    right when either the propensities or the `estimates` q (n, m) are. They must not have been learned from this log.

    Raises `TooFewEffective` below `floor` effective decisions, `ValueError` for shapes that do not fit.
    """
    estimates = np.asarray(estimates, np.float64)
    if estimates.ndim != 2 or len(estimates) != len(log) or not np.isfinite(estimates).all():
        raise ValueError(f"estimates of shape {estimates.shape} for {len(log)} decisions, or not finite")
    found = weights(log, choice)
    if min(int(choice.min()), int(log.chosen.min())) < 0 or max(choice.max(), log.chosen.max()) >= estimates.shape[1]:
        raise ValueError(f"choices beyond the {estimates.shape[1]} models of the estimates")
    rows = np.arange(len(log))
    terms = estimates[rows, choice] + found * (log.reward - estimates[rows, log.chosen])
    return _estimate(found, terms[:, None], _first, floor, draws, level, seed)


def _ratio(means: Floats) -> Floats:
    """Of (..., 2): the first over the second; NaN where that is 0, as in a resample without an agreeing decision."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = means[..., 0] / means[..., 1]
    return found


def _first(means: Floats) -> Floats:
    return means[..., 0]


def _estimate(
    found: Floats,
    terms: Floats,
    value: Callable[[Floats], Any],
    floor: float,
    draws: int,
    level: float,
    seed: int,
) -> Estimate:
    if not 0 < level < 1 or draws < 1:
        raise ValueError(f"an interval of level {level} from {draws} draws")
    size = effective(found)
    if size < floor or size <= 0:
        raise TooFewEffective(size, floor)
    random = np.random.default_rng(seed)
    n = len(terms)
    values: list[Floats] = []
    at_once = max(1, _CHUNK // n)
    for start in range(0, draws, at_once):
        rows = random.integers(n, size=(min(at_once, draws - start), n))
        values.append(value(terms[rows].mean(axis=1)))
    low, high = np.nanquantile(np.concatenate(values), [(1 - level) / 2, (1 + level) / 2])
    agreeing = float(np.mean(found > 0))
    return Estimate(float(value(terms.mean(axis=0))), float(low), float(high), size, agreeing)

"""A contextual bandit for pools of models of which no outcomes were recorded: it learns from feedback alone.

It is slow: with nine models it takes thousands of scored answers to come level with always calling the best of them.
Where there are a few hundred prompts with scores of all models, train a router instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.ngrams import BUCKETS, counts, normalised
from routeiq_routing_ml.features.surface import NAMES, surface
from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.serving.heads import Heads

DIMENSIONS = 24
DRAWS = 256
FORGETTING = 0.9995
_PROJECTION_SEED = 20_110_401
_TYPICAL = np.array([5.5, 1.0, 0.15, 0.3, 0.25, 0.5, 0.4, 4.0, 0.9, 0.1, 0.05])
_RANGE = np.array([1.5, 1.0, 0.2, 0.2, 0.4, 0.5, 0.8, 1.5, 0.3, 0.3, 0.3])
_SURFACE_WEIGHT = 0.3
_START = 0.5
_NOISE = 0.25  # half of what right-or-wrong answers scatter: the full width explores long after it has paid
_BIAS_PRECISION = 2.0
_FEATURE_PRECISION = 40.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A drawn model. `mean` and `sampled` are (m,) qualities, `spread` (m,) one standard deviation of the mean.

    `propensity` is the probability with which `index` was chosen, given the draws: at least floor / candidates.
    """

    index: int
    propensity: float
    mean: Floats
    sampled: Floats
    spread: Floats


class Bandit:
    """Thompson sampling (Thompson 1933; Agrawal and Goyal 2013, arXiv 1209.3352) on one linear head a model.

    The context is a fixed random projection of hashed n-grams (Achlioptas 2003) to `dimensions` numbers, the surface
    numbers, and a 1. At first the heads see little more than the 1: which model is good at all is learned before what
    each is good at. Equal seeds and equal histories give equal choices; without a seed each process draws its own.
    Memory is bounded: m x (dimensions + 12)^2 numbers and a projection.
    """

    def __init__(
        self,
        models: Sequence[str],
        dimensions: int = DIMENSIONS,
        *,
        seed: int | None,
        floor: float = 0.01,
        forgetting: float = FORGETTING,
    ) -> None:
        """`floor` is the share of choices that are uniform among the candidates. Raises `ValueError`."""
        if not 1 <= dimensions <= 256:
            raise ValueError(f"{dimensions} dimensions: give 1 to 256")
        if not 0 < floor <= 1:
            raise ValueError(f"floor is {floor}: give a share above 0 and at most 1")
        prior = np.full(dimensions + len(NAMES) + 1, _FEATURE_PRECISION)
        prior[-1] = _BIAS_PRECISION
        self._heads = Heads(models, np.diag(prior), forgetting)
        self._floor = floor
        self._random = np.random.default_rng(seed)
        signs = np.random.default_rng(_PROJECTION_SEED).integers(0, 2, (2 * BUCKETS, dimensions), dtype=np.int8)
        self._projection: NDArray[np.int8] = 2 * signs - 1
        self._fingerprint = hashlib.sha256(f"bandit 1, {dimensions}".encode() + self._projection.tobytes()).digest()

    @property
    def models(self) -> tuple[str, ...]:
        """The arms, in the order of all columns."""
        return self._heads.models

    @property
    def outcomes(self) -> int:
        """How many answers it has learned from."""
        return self._heads.outcomes

    def context(self, text: str) -> Floats:
        """The context (dimensions + 12,) of a prompt: what `choose` and `learn` want, and all that need be kept."""
        dimensions = self._projection.shape[1]
        hashed = np.zeros(dimensions)
        for block, (buckets, found) in enumerate(counts(normalised(text))):
            weights = 1 + np.log(found)
            if len(weights):
                weights /= np.linalg.norm(weights)
                hashed += weights @ self._projection[buckets + block * BUCKETS].astype(np.float32)
        length = float(np.linalg.norm(hashed)) or 1.0
        seen = _SURFACE_WEIGHT * np.tanh((surface(text) - _TYPICAL) / _RANGE)
        return np.concatenate([hashed / length, seen, [1.0]])

    def choose(self, context: Floats, penalty: Floats | None = None, candidates: Sequence[int] | None = None) -> Choice:
        """Draw a model for a context. `penalty` (m,) is taken from the sampled qualities: lambda x expected cost.

        One of 256 joint draws is picked by lot, and given those 256 its choice has exactly the share it won of them:
        so weights by 1 / propensity stay unbiased although the propensity is counted and not integrated.
        """
        allowed = np.arange(len(self.models)) if candidates is None else np.asarray(sorted(set(candidates)))
        if not len(allowed) or allowed[0] < 0 or allowed[-1] >= len(self.models):
            raise ValueError(f"candidates {list(candidates or ())} of {len(self.models)} models")
        mean = _START + self._heads.mean(context[None])[0]
        spread = _NOISE * self._heads.spread(context[None])[0]
        draws = mean + spread * self._random.standard_normal((DRAWS, len(mean)))
        utility = draws if penalty is None else draws - penalty
        winners = allowed[utility[:, allowed].argmax(axis=1)]
        picked = int(self._random.integers(DRAWS))
        index = int(winners[picked])
        if self._random.random() < self._floor:
            index = int(allowed[self._random.integers(len(allowed))])
        share = float(np.mean(winners == index))
        propensity = (1 - self._floor) * share + self._floor / len(allowed)
        return Choice(index, propensity, mean, draws[picked], spread)

    def learn(self, context: Sequence[float] | Floats, model_index: int, score: float) -> None:
        """One answer's score, 0..1. Raises `ValueError`, and learns nothing, for what cannot be."""
        x = np.asarray(context, np.float64)
        if x.shape != (self._projection.shape[1] + len(NAMES) + 1,) or not float(np.linalg.norm(x)) <= 2:
            raise ValueError(f"a context of shape {x.shape}, or one that this bandit did not make")
        if not 0 <= model_index < len(self.models):
            raise ValueError(f"there is no model {model_index}")
        if not 0 <= score <= 1:
            raise ValueError(f"a score of {score}, not within 0..1")
        self._heads.learn(x, model_index, float(score) - _START)

    def state(self) -> bytes:
        """Everything learned, for `restore` after a restart. The random numbers are not part of it."""
        return self._heads.state(self._fingerprint)

    def restore(self, state: bytes) -> bool:
        """Go on from `state`, with the models that are still in the pool; `False` when its contexts were made
        otherwise. Raises `ValueError` for bytes that are no state. Nothing is changed in both cases.
        """
        return self._heads.restore(state, self._fingerprint)

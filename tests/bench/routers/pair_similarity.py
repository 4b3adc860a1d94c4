"""RouteLLM's similarity-weighted ranking (arXiv 2406.18665) on one strong/weak pair.

For each query a Bradley-Terry model is fitted to all training outcomes, weighted by 10 ** (1 + cosine / largest
cosine). With two models the weighted maximum likelihood is in closed form: the weighted share of wins, ties half.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sklearn.preprocessing import normalize

from bench.routers.pair import Pair
from bench.routers.recipe import Array, Features, Prediction

BLOCK = 512


@dataclass
class PairSimilarity:
    name: str = "RouteLLM: similarity"
    _pair: Pair | None = field(init=False, default=None, repr=False)
    _known: Features = field(init=False, repr=False, default_factory=lambda: np.zeros((0, 0), dtype=np.float32))

    def fit(self, features: Features, quality: Array, cost: Array, seed: int) -> None:
        self._pair = Pair.of(quality)
        self._known = normalize(features)

    def predict(self, features: Features) -> Prediction:
        assert self._pair is not None
        asked = normalize(features)
        rates = [self._win_rate(asked[start : start + BLOCK]) for start in range(0, len(asked), BLOCK)]
        return self._pair.prediction(np.concatenate(rates))

    def _win_rate(self, asked: Features) -> Array:
        assert self._pair is not None
        cosine = (asked @ self._known.T).astype(np.float64)
        weight = 10.0 ** (1 + cosine / np.maximum(cosine.max(axis=1, keepdims=True), 1e-9))
        rate: Array = (weight @ self._pair.won) / weight.sum(axis=1)
        return rate

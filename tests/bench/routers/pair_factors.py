"""RouteLLM's matrix factorisation (arXiv 2406.18665) on one strong/weak pair.

Its win rate is sigmoid(w . ((v_strong - v_weak) * (W x))) without a bias. With one pair that product is one linear form
of x, which is fitted directly on the queries that have a winner. The noise it adds to x in training (deviation 0.1)
becomes the ridge penalty that it amounts to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.routers.pair import Pair
from bench.routers.recipe import Array, Features, Prediction

NOISE = 0.1


@dataclass
class PairFactors:
    name: str = "RouteLLM: factors"
    _fitted: Any = field(init=False, default=None, repr=False)
    _pair: Pair | None = field(init=False, default=None, repr=False)

    def fit(self, features: Features, quality: Array, cost: Array, seed: int) -> None:
        self._pair = Pair.of(quality)
        decided = self._pair.won != 0.5
        if len(np.unique(self._pair.won[decided])) < 2:
            self._fitted = None  # nothing to tell apart: every query is the same to it
            return
        share = float(self._pair.won[decided].mean())
        # Noise of variance s^2 adds s^2 / 2 |w|^2 sum p (1 - p) to the loss.
        penalty = NOISE**2 * max(share * (1 - share), 0.01) * int(decided.sum())
        self._fitted = LogisticRegression(fit_intercept=False, C=1 / penalty, max_iter=1000)
        self._fitted.fit(features[decided], self._pair.won[decided])

    def predict(self, features: Features) -> Prediction:
        assert self._pair is not None
        if self._fitted is None:
            return self._pair.prediction(np.ones(len(features)))
        win_rate = np.asarray(self._fitted.predict_proba(features)[:, 1], dtype=np.float64)
        return self._pair.prediction(win_rate)

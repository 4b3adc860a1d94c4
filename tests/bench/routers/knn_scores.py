"""Neighbours predict quality and cost of every model (CARROT, arXiv 2502.03261; "kNN is enough", arXiv 2505.12601).
The plug-in rule quality - lambda x cost is the protocol's. 80 neighbours by distance is where this recipe is best."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.neighbors import KNeighborsRegressor

from bench.routers.recipe import Array, Features, Prediction


@dataclass
class KnnScores:
    neighbours: int = 80
    _fitted: Any = field(init=False, default=None, repr=False)

    @property
    def name(self) -> str:
        return f"CARROT: kNN k={self.neighbours}"

    def fit(self, features: Features, quality: Array, cost: Array, seed: int) -> None:
        self._fitted = KNeighborsRegressor(n_neighbors=min(self.neighbours, len(features)), weights="distance")
        self._fitted.fit(features, np.hstack([quality, cost]))

    def predict(self, features: Features) -> Prediction:
        quality, cost = np.hsplit(np.asarray(self._fitted.predict(features), dtype=np.float64), 2)
        return Prediction(quality, cost)

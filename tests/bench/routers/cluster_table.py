"""A table of quality and cost a cluster of queries (Avengers-Pro, arXiv 2508.12631, with its published settings).
Its own weighting of quality and cost is left to the protocol, so that all routers trade the same way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize

from bench.routers.recipe import Array, Features, Prediction


@dataclass
class ClusterTable:
    """k-means on unit vectors; the `nearest` clusters of a query, weighted by exp(-sharpness x distance)."""

    clusters: int = 60
    nearest: int = 4
    sharpness: float = 9.0
    _fitted: Any = field(init=False, default=None, repr=False)
    _quality: Array = field(init=False, repr=False, default_factory=lambda: np.zeros((0, 0)))
    _cost: Array = field(init=False, repr=False, default_factory=lambda: np.zeros((0, 0)))

    @property
    def name(self) -> str:
        return f"Avengers-Pro: {self.clusters} clusters"

    def fit(self, features: Features, quality: Array, cost: Array, seed: int) -> None:
        self._fitted = KMeans(n_clusters=min(self.clusters, len(features)), n_init=1, random_state=seed)
        member = self._fitted.fit_predict(normalize(features))
        groups = [member == cluster for cluster in range(self._fitted.n_clusters)]
        self._quality = np.array([quality[group].mean(axis=0) for group in groups])
        self._cost = np.array([cost[group].mean(axis=0) for group in groups])

    def predict(self, features: Features) -> Prediction:
        distance = np.asarray(self._fitted.transform(normalize(features)), dtype=np.float64)
        kept = min(self.nearest, distance.shape[1])
        limit = np.partition(distance, kept - 1, axis=1)[:, kept - 1 : kept]
        nearest = distance.min(axis=1, keepdims=True)
        weight = np.where(distance <= limit, np.exp(-self.sharpness * (distance - nearest)), 0.0)
        weight /= weight.sum(axis=1, keepdims=True)
        return Prediction(weight @ self._quality, weight @ self._cost)

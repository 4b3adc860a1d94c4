"""k nearest neighbours: the qualities of the most similar training prompts, averaged by similarity.

Brute force over unit vectors is one product of a matrix and a vector, faster than an index up to some 50,000 rows.
"kNN is enough" (arXiv 2505.12601) and CARROT (2502.03261) find nothing better by more than noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson, by_column, half, single, whole_number

MOST_ROWS = 20_000
"""More rows are thinned out at random: the decision must stay quick, and locality does not need them all."""
SHARPNESS = 8.0
_PER_ROOT = 1.33


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`store` is (r, d), rows of unit length; `values` (r, m); `k` neighbours are averaged."""

    store: NDArray[np.float32]
    values: NDArray[np.float32]
    k: int

    def scores(self, points: Points) -> Floats:
        """Means (n, m) over the k nearest, weighted by exp(8 x (similarity - the nearest's))."""
        return self.of(points.z @ self.store.T)

    def of(self, similarities: NDArray[np.float32]) -> Floats:
        """The same from similarities (n, r) to the store."""
        nearest, weights = self._weights(similarities)
        means: Floats = np.einsum("nk,nkm->nm", weights, self.values[nearest]).astype(np.float64)
        return means

    def nearest(self, points: Points, count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Rows and similarities (n, count) of the nearest, nearest first."""
        similarities = points.z @ self.store.T
        rows = _top(similarities, min(count, len(self.store)))
        found = np.take_along_axis(similarities, rows, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(found, order, axis=1)

    def _weights(self, similarities: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        rows = _top(similarities, self.k)
        found = np.take_along_axis(similarities, rows, axis=1)
        weights = np.exp(SHARPNESS * (found - found.max(axis=1, keepdims=True)))
        return rows, weights / weights.sum(axis=1, keepdims=True)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The store in half precision, its values, and k."""
        return {"knn.store": half(self.store), "knn.values": half(self.values), "knn.k": np.array([self.k], np.int32)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The scorer of `arrays()`. Raises `ValueError`."""
        store, values, k = by_column(arrays["knn.store"]), single(arrays["knn.values"]), whole_number(arrays["knn.k"])
        if store.ndim != 2 or values.ndim != 2 or len(store) != len(values) or not 1 <= k <= len(store):
            raise ValueError(f"kNN arrays of shapes {store.shape} and {values.shape} with k = {k}")
        return cls(store, values, k)

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Remember the lesson, or a random part of it."""
        rows = kept_rows(len(lesson.points), lesson.seed)
        k = max(1, min(len(rows), round(_PER_ROOT * len(rows) ** 0.5)))
        return cls(by_column(lesson.points.z[rows]), single(lesson.quality[rows]), k)


def kept_rows(count: int, seed: int) -> NDArray[np.intp]:
    """Which of `count` rows a store keeps: all, or a random part; in an order without meaning."""
    return np.random.default_rng(seed).permutation(count)[:MOST_ROWS]


def _top(similarities: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    if count >= similarities.shape[1]:
        return np.tile(np.arange(similarities.shape[1]), (len(similarities), 1))
    top: NDArray[np.intp] = np.argpartition(similarities, -count, axis=1)[:, -count:]
    return top

"""Clusters of prompts with a table of each model's mean quality in them.

k-means on unit vectors with a soft vote of the nearest clusters, as Avengers-Pro (arXiv 2508.12631) and UniRoute
(2502.08773) do. A new model is one new column: some hundred labelled prompts and no retraining.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson, half, single

MOST_CLUSTERS = 64
_ROWS_A_CLUSTER = 40
_VOTERS = 4
_SHARPNESS = 12.0
_PRIOR_ROWS = 8.0
"""A cluster's mean is drawn towards the model's overall mean as if that many rows said so."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """`centers` is (c, d), rows of unit length; `table` (c, m) holds mean qualities."""

    centers: NDArray[np.float32]
    table: NDArray[np.float32]

    def scores(self, points: Points) -> Floats:
        """The table's rows (n, m) of the nearest clusters, weighted by similarity."""
        return self.vote(points) @ self.table.astype(np.float64)

    def vote(self, points: Points) -> Floats:
        """Weights (n, c) of the clusters for each prompt; each row adds up to 1."""
        return vote(points, self.centers)

    def with_model(self, points: Points, quality: Floats) -> Clusters:
        """The scorer with one more model, whose qualities (n,) on labelled prompts are known."""
        return replace(self, table=np.column_stack([self.table, table(self.vote(points), quality[:, None])]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Centers in half precision, and the table."""
        return {"clusters.centers": half(self.centers), "clusters.table": self.table}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The scorer of `arrays()`. Raises `ValueError`."""
        centers, means = single(arrays["clusters.centers"]), single(arrays["clusters.table"])
        if centers.ndim != 2 or means.ndim != 2 or not len(centers) or len(centers) != len(means):
            raise ValueError(f"cluster arrays of shapes {centers.shape} and {means.shape}")
        return cls(centers, means)

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Cluster the prompts and fill in the table."""
        centers = find_centers(lesson.points, lesson.seed)
        return cls(centers, table(vote(lesson.points, centers), lesson.quality))


def find_centers(points: Points, seed: int) -> NDArray[np.float32]:
    """Centers (c, d) of prompts, of unit length; one for every 40 prompts, at most 64."""
    from sklearn.cluster import MiniBatchKMeans

    count = max(1, min(MOST_CLUSTERS, len(points) // _ROWS_A_CLUSTER, len(np.unique(points.z, axis=0))))
    found = MiniBatchKMeans(count, n_init=4, batch_size=2048, random_state=seed).fit(points.z)
    lengths = np.linalg.norm(found.cluster_centers_, axis=1, keepdims=True)
    return single(found.cluster_centers_ / np.where(lengths > 0, lengths, 1))


def vote(points: Points, centers: NDArray[np.float32]) -> Floats:
    """Weights (n, c) of clusters for prompts: the nearest four, by similarity."""
    return vote_of(points.z @ centers.T)


def vote_of(similarities: NDArray[np.float32]) -> Floats:
    """The same from similarities (n, c) to the centers."""
    similarities = similarities.astype(np.float64)
    clusters = similarities.shape[1]
    voters = min(_VOTERS, clusters)
    last = np.partition(similarities, clusters - voters, axis=1)[:, clusters - voters, None]
    weights = np.exp(_SHARPNESS * (similarities - similarities.max(axis=1, keepdims=True)))
    weights = np.where(similarities >= last, weights, 0)
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def table(weights: Floats, values: Floats) -> NDArray[np.float32]:
    """Means (c, m) of values (n, m) by cluster, weighted (n, c) and drawn towards the overall mean."""
    mean = values.mean(axis=0)
    mass = weights.sum(axis=0)[:, None]
    return single((weights.T @ values + _PRIOR_ROWS * mean) / (mass + _PRIOR_ROWS))

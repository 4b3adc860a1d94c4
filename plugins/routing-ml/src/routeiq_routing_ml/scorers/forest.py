"""Extremely randomised trees (Geurts et al. 2006), grown by scikit-learn and walked here in plain arrays.

All trees are walked at once, one level a step: a decision takes some 0.1 ms where the library's own takes 25 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson, single

TREES = 80
DEPTH = 14
MOST_ROWS = 50_000
_LEAF = 5
_SHARE = 0.3
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Forest:
    """Nodes of all trees in one row: `feature`, `threshold`, `left`, `right` (nodes,), `values` (nodes, m).

    A leaf points to itself on both sides, so that every tree can be walked `depth` steps. `roots` is (trees,).
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    values: NDArray[np.float32]
    depth: int

    def scores(self, points: Points) -> Floats:
        """The mean (n, m) of the leaves that a prompt falls into."""
        coarse = points.coarse
        parts = [self._scores(coarse[start : start + _CHUNK]) for start in range(0, len(coarse), _CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, self.values.shape[1]))

    def _scores(self, x: NDArray[np.float32]) -> Floats:
        rows = np.arange(len(x))[:, None]
        nodes = np.broadcast_to(self.roots, (len(x), len(self.roots)))
        for _ in range(self.depth):
            goes_left = x[rows, self.feature[nodes]] <= self.threshold[nodes]
            nodes = np.where(goes_left, self.left[nodes], self.right[nodes])
        means: Floats = self.values[nodes].mean(axis=1, dtype=np.float64)
        return means

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The nodes; values in half precision."""
        return {
            "forest.roots": self.roots,
            "forest.feature": self.feature,
            "forest.threshold": self.threshold,
            "forest.left": self.left,
            "forest.right": self.right,
            "forest.values": self.values.astype(np.float16),
            "forest.depth": np.array([self.depth], np.int32),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The forest of `arrays()`. Raises `ValueError` when a node points outside."""
        found = {name: np.asarray(arrays[f"forest.{name}"]) for name in ("roots", "feature", "left", "right")}
        threshold, values = single(arrays["forest.threshold"]), single(arrays["forest.values"])
        count, depth = len(values), int(arrays["forest.depth"][0])
        inside = all(len(array) and array.min() >= 0 and array.max() < count for array in found.values())
        lengths = {len(array) for name, array in found.items() if name != "roots"} | {len(threshold)}
        if not inside or lengths != {count} or not 0 <= depth <= 64 or found["feature"].max() > 10_000:
            raise ValueError(f"a forest of {count} nodes whose arrays do not fit together")
        return cls(
            found["roots"].astype(np.int32),
            found["feature"].astype(np.int16),
            threshold,
            found["left"].astype(np.int32),
            found["right"].astype(np.int32),
            values,
            depth,
        )

    @classmethod
    def fit(cls, lesson: Lesson, trees: int = TREES) -> Self:
        """Grow the trees, on a random part of very many rows."""
        from sklearn.ensemble import ExtraTreesRegressor

        rows = np.random.default_rng(lesson.seed).permutation(len(lesson.points))[:MOST_ROWS]
        grown = ExtraTreesRegressor(
            n_estimators=trees,
            min_samples_leaf=min(_LEAF, max(1, len(rows) // 20)),
            max_features=_SHARE,
            max_depth=DEPTH,
            n_jobs=lesson.jobs,
            random_state=lesson.seed,
        ).fit(lesson.points.coarse[rows], lesson.quality[rows])
        return cls._of([estimator.tree_ for estimator in grown.estimators_], lesson.quality.shape[1])

    @classmethod
    def _of(cls, trees: list[Any], models: int) -> Self:
        roots, feature, threshold, left, right, values = [], [], [], [], [], []
        offset = 0
        for tree in trees:
            own = np.arange(tree.node_count) + offset
            leaf = tree.children_left < 0
            roots.append(offset)
            feature.append(np.where(leaf, 0, tree.feature))
            threshold.append(tree.threshold)
            left.append(np.where(leaf, own, tree.children_left + offset))
            right.append(np.where(leaf, own, tree.children_right + offset))
            values.append(tree.value.reshape(tree.node_count, models))
            offset += tree.node_count
        return cls(
            np.array(roots, np.int32),
            np.concatenate(feature).astype(np.int16),
            single(np.concatenate(threshold)),
            np.concatenate(left).astype(np.int32),
            np.concatenate(right).astype(np.int32),
            single(np.concatenate(values)),
            max(int(tree.max_depth) for tree in trees),
        )

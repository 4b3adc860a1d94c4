"""Extremely randomised trees (Geurts et al. 2006), grown by scikit-learn and walked here in plain arrays.

All trees are walked at once, one level a step: a decision takes some 0.1 ms where the library's own takes 25 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import COARSE, Points
from routeiq_routing_ml.features.surface import NAMES
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson, single, whole_number

TREES = 80
DEPTH = 14
MOST_ROWS = 50_000
_LEAF = 5
_SHARE = 0.3
_CHUNK = 4096
_COLUMNS = COARSE + len(NAMES)


@dataclass(frozen=True, slots=True)
class Forest:
    """Nodes of all trees in one row: `feature` and `threshold` (nodes,), `children` (2 x nodes,), `values` (nodes, m).

    The children of node i stand at 2i (at most the threshold) and 2i + 1 (above it). A leaf's are itself, so that every
    tree can be walked `depth` steps. `roots` is (trees,).
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    children: NDArray[np.int32]
    values: NDArray[np.float32]
    depth: int

    def scores(self, points: Points) -> Floats:
        """The mean (n, m) of the leaves that a prompt falls into."""
        coarse = points.coarse
        if len(coarse) == 1:
            return self._score(coarse[0])
        parts = [self._scores(coarse[start : start + _CHUNK]) for start in range(0, len(coarse), _CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, self.values.shape[1]))

    def _scores(self, x: NDArray[np.float32]) -> Floats:
        rows = np.arange(len(x))[:, None]
        nodes = np.broadcast_to(self.roots, (len(x), len(self.roots)))
        for _ in range(self.depth):
            above = x[rows, self.feature[nodes]] > self.threshold[nodes]
            nodes = self.children[2 * nodes + above]
        means: Floats = self.values[nodes].mean(axis=1, dtype=np.float64)
        return means

    def _score(self, x: NDArray[np.float32]) -> Floats:
        """`_scores` of one prompt (d,): plain rows are walked in half the time."""
        nodes = self.roots
        for _ in range(self.depth):
            above = x.take(self.feature.take(nodes)) > self.threshold.take(nodes)
            nodes = self.children.take(2 * nodes + above)
        means: Floats = self.values.take(nodes, axis=0).mean(axis=0, dtype=np.float64, keepdims=True)
        return means

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The nodes; values in half precision."""
        return {
            "forest.roots": self.roots,
            "forest.feature": self.feature,
            "forest.threshold": self.threshold,
            "forest.children": self.children,
            "forest.values": self.values.astype(np.float16),
            "forest.depth": np.array([self.depth], np.int32),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The forest of `arrays()`. Raises `ValueError` when a node points outside."""
        found = {name: np.asarray(arrays[f"forest.{name}"], np.int64) for name in ("roots", "feature", "children")}
        threshold, values = single(arrays["forest.threshold"]), single(arrays["forest.values"])
        count, depth = len(values), whole_number(arrays["forest.depth"])
        flat = values.ndim == 2 and all(array.ndim == 1 for array in found.values())
        most = {"roots": count, "feature": _COLUMNS, "children": count}
        inside = flat and all(len(array) and array.min() >= 0 and array.max() < most[n] for n, array in found.items())
        fits = found["feature"].shape == threshold.shape == (count,) and found["children"].shape == (2 * count,)
        if not inside or not fits or not 0 <= depth <= 64:
            raise ValueError(f"a forest of {count} nodes whose arrays do not fit together")
        return cls(
            found["roots"].astype(np.int32),
            found["feature"].astype(np.int16),
            threshold,
            found["children"].astype(np.int32),
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
        roots, feature, threshold, children, values = [], [], [], [], []
        offset = 0
        for tree in trees:
            own = np.arange(tree.node_count) + offset
            leaf = tree.children_left < 0
            roots.append(offset)
            feature.append(np.where(leaf, 0, tree.feature))
            threshold.append(tree.threshold)
            sides = np.column_stack([tree.children_left, tree.children_right]) + offset
            children.append(np.where(leaf[:, None], own[:, None], sides).ravel())
            values.append(tree.value.reshape(tree.node_count, models))
            offset += tree.node_count
        return cls(
            np.array(roots, np.int32),
            np.concatenate(feature).astype(np.int16),
            single(np.concatenate(threshold)),
            np.concatenate(children).astype(np.int32),
            single(np.concatenate(values)),
            max(int(tree.max_depth) for tree in trees),
        )

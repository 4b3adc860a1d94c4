"""The mean of three unlike scorers: neighbours, a kernel ridge and trees. The default: it wins or ties everywhere.

Neighbours and kernel read the same similarities, which are computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson
from routeiq_routing_ml.scorers.forest import Forest
from routeiq_routing_ml.scorers.kernel import Kernel
from routeiq_routing_ml.scorers.neighbours import Neighbours


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Three members with equal weight. The kernel's landmarks are the first rows of the neighbours' store."""

    neighbours: Neighbours
    kernel: Kernel
    forest: Forest

    def scores(self, points: Points) -> Floats:
        """The mean (n, m) of the members' scores."""
        similarities = points.z @ self.neighbours.store.T
        near = self.neighbours.of(similarities)
        smooth = self.kernel.of(similarities[:, : len(self.kernel.landmarks)])
        return (near + smooth + self.forest.scores(points)) / 3

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Those of the members; landmarks are kept once."""
        kernel = {name: array for name, array in self.kernel.arrays().items() if name != "kernel.landmarks"}
        return {**self.neighbours.arrays(), **kernel, **self.forest.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The ensemble of `arrays()`. Raises `ValueError`."""
        neighbours, forest = Neighbours.from_arrays(arrays), Forest.from_arrays(arrays)
        kernel = Kernel.around(neighbours.store, arrays)
        models = {neighbours.values.shape[1], len(kernel.mean), forest.values.shape[1]}
        if len(models) > 1:
            raise ValueError(f"the members of the ensemble know different numbers of models: {sorted(models)}")
        return cls(neighbours, kernel, forest)

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Fit all three."""
        neighbours, kernel = Neighbours.fit(lesson), Kernel.fit(lesson)
        shared = Kernel(neighbours.store[: len(kernel.landmarks)], kernel.weights, kernel.mean)
        return cls(neighbours, shared, Forest.fit(lesson))

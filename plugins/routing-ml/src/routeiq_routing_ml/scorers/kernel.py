"""Kernel ridge regression: a smooth function of the prompt for each model, fitted by least squares.

A Gaussian kernel on unit vectors; with more rows than landmarks, Nystroem's approximation (Williams and Seeger 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson, by_column, single
from routeiq_routing_ml.scorers.neighbours import kept_rows

MOST_LANDMARKS = 4000
WIDTH = 2.0
PENALTY = 4.0


@dataclass(frozen=True, slots=True)
class Kernel:
    """`landmarks` is (l, d), rows of unit length; `weights` (l, m) and `mean` (m,) of the fitted function."""

    landmarks: NDArray[np.float32]
    weights: NDArray[np.float32]
    mean: NDArray[np.float32]

    def scores(self, points: Points) -> Floats:
        """The function's values (n, m)."""
        return self.of(points.z @ self.landmarks.T)

    def of(self, similarities: NDArray[np.float32]) -> Floats:
        """The same from similarities (n, l) to the landmarks."""
        values: Floats = (_gauss(similarities) @ self.weights + self.mean).astype(np.float64)
        return values

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights and mean; the landmarks in half precision."""
        return {
            "kernel.landmarks": self.landmarks.astype(np.float16),
            "kernel.weights": self.weights,
            "kernel.mean": self.mean,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The scorer of `arrays()`. Raises `ValueError`."""
        return cls.around(by_column(arrays["kernel.landmarks"]), arrays)

    @classmethod
    def around(cls, landmarks: NDArray[np.float32], arrays: Arrays) -> Self:
        """The scorer of `arrays()` whose landmarks are somebody else's rows, too. Raises `ValueError`."""
        weights, mean = single(arrays["kernel.weights"]), single(arrays["kernel.mean"])
        landmarks = landmarks[: len(weights)]
        fits = landmarks.ndim == weights.ndim == 2 and len(landmarks) == len(weights)
        if not fits or mean.shape != weights.shape[1:]:
            raise ValueError(f"kernel arrays of shapes {landmarks.shape}, {weights.shape} and {mean.shape}")
        return cls(landmarks, weights, mean)

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Fit the function; its landmarks are the first rows that `kept_rows` names."""
        from scipy.linalg import cho_factor, cho_solve

        landmarks = by_column(lesson.points.z[kept_rows(len(lesson.points), lesson.seed)[:MOST_LANDMARKS]])
        mean = lesson.quality.mean(axis=0)
        within = _gauss(landmarks @ landmarks.T).astype(np.float64)
        if len(landmarks) == len(lesson.points):
            rows = kept_rows(len(lesson.points), lesson.seed)
            system, target = within, (lesson.quality - mean)[rows]
            system[np.diag_indices_from(system)] += PENALTY
        else:
            system, target = PENALTY * within, np.zeros((len(landmarks), lesson.quality.shape[1]))
            for start in range(0, len(lesson.points), MOST_LANDMARKS):
                part = slice(start, start + MOST_LANDMARKS)
                across = _gauss(lesson.points.z[part] @ landmarks.T).astype(np.float64)
                system += across.T @ across
                target += across.T @ (lesson.quality[part] - mean)
            system[np.diag_indices_from(system)] += 1e-6 * np.trace(system) / len(system)
        weights = cho_solve(cho_factor(system, lower=True, overwrite_a=True), target)
        return cls(landmarks, single(weights), single(mean))


def _gauss(similarities: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp(-WIDTH x squared distance) of unit vectors with these inner products."""
    kernel: NDArray[np.float32] = np.exp(2 * WIDTH * (similarities - 1))
    return kernel

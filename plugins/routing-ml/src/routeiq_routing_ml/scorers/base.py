"""What every strategy's scorer can do, and the arrays it is kept as.

How a scorer comes about is its own file's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]


class Scorer(Protocol):
    """Predicts how well each model of a pool answers a prompt."""

    def scores(self, points: Points) -> Floats:
        """Raw qualities (n, m), on the scale of the training scores, not calibrated."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything it needs, as arrays without objects."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a scorer learns from: `points` (n), `quality` (n, m) in 0..1, a seed, and how many processes may help."""

    points: Points
    quality: Floats
    seed: int = 0
    jobs: int = 1

    def __getitem__(self, rows: Any) -> Lesson:
        return Lesson(self.points[rows], self.quality[rows], self.seed, self.jobs)


def whole_number(array: NDArray[Any]) -> int:
    """The number of an array (1,). Raises `ValueError` for another shape."""
    if np.shape(array) != (1,):
        raise ValueError(f"one number is needed, not an array of shape {np.shape(array)}")
    return int(array[0])


def half(array: NDArray[Any]) -> NDArray[np.float16]:
    """An array in half precision, for what needs no more."""
    return np.asarray(array).astype(np.float16)


def single(array: NDArray[Any]) -> NDArray[np.float32]:
    """An array in single precision, contiguous."""
    return np.ascontiguousarray(array, dtype=np.float32)


def by_column(array: NDArray[Any]) -> NDArray[np.float32]:
    """An array of rows in single precision whose columns lie together: products with one vector run down them in half
    the time."""
    return np.asfortranarray(array, dtype=np.float32)

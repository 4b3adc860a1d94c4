"""How sure a prediction can be: one standard deviation for each model, and whether the prompt is of a new kind.

A Bayesian linear model over the leading dimensions says how little is known in a direction (Rasmussen and Williams
2006, section 2.1); it is also where corrections from feedback are learned. Distance to all clusters says what is new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats

DIRECTIONS = 32
_NEW_QUANTILE = 0.2
_PRIOR = 1.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """`precision` (32, 32) is what the training prompts say of each direction, `noise` (m,) the spread of errors.

    A prompt less similar than `familiar` to every cluster is of a new kind: a fifth of the training prompts are.
    """

    precision: Floats
    noise: Floats
    familiar: float
    _covariance: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Inverted once: the prior keeps it far from singular, and a decision has no time to solve.
        object.__setattr__(self, "_covariance", np.linalg.inv(self.precision))

    def uncertainty(self, points: Points) -> Floats:
        """One standard deviation (n, m) of the predicted quality's own error."""
        z = directions(points)
        if z.shape[1] != len(self.precision):
            raise ValueError(f"{z.shape[1]} directions where {len(self.precision)} are known")
        known = ((z @ self._covariance) * z).sum(axis=1)
        spread: Floats = np.sqrt(np.maximum(known, 0))[:, None] * self.noise
        return spread

    def is_new(self, similarities: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Whether prompts (n,) with these similarities (n, c) to the clusters are of a new kind."""
        return np.asarray(similarities.max(axis=1) < self.familiar)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All three."""
        return {
            "doubt.precision": self.precision,
            "doubt.noise": self.noise,
            "doubt.familiar": np.array([self.familiar]),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The doubt of `arrays()`. Raises `ValueError`."""
        precision = np.asarray(arrays["doubt.precision"], np.float64)
        noise = np.asarray(arrays["doubt.noise"], np.float64)
        familiar = np.asarray(arrays["doubt.familiar"], np.float64)
        square = precision.ndim == 2 and precision.shape[0] == precision.shape[1]
        if not square or noise.ndim != 1 or familiar.shape != (1,) or not (noise >= 0).all():
            raise ValueError(f"doubt arrays of shapes {precision.shape}, {noise.shape} and {familiar.shape}")
        return cls(precision, noise, float(familiar[0]))

    @classmethod
    def fit(cls, points: Points, errors: Floats, similarities: NDArray[np.floating[Any]]) -> Self:
        """Learn from training prompts, the errors (n, m) of predictions of unseen ones, and their similarities."""
        z = directions(points)
        precision = z.T @ z + _PRIOR * np.eye(z.shape[1])
        return cls(precision, errors.std(axis=0), float(np.quantile(similarities.max(axis=1), _NEW_QUANTILE)))


def directions(points: Points) -> Floats:
    """The leading dimensions (n, up to 32) in which doubt and corrections live."""
    return points.z[:, :DIRECTIONS].astype(np.float64)

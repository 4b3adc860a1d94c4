"""A small neural network with one hidden layer that predicts all models' qualities at once.

Trained by scikit-learn, evaluated here as two matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson, single

_HIDDEN = 96
_DECAY = 0.03
_EPOCHS = 200
_NETWORKS = 4
_LEAST_VALIDATED = 20
"""Fewer rows than this are all learned from: what early stopping would hold back of them says nothing."""


@dataclass(frozen=True, slots=True)
class Network:
    """Hidden layers of several networks side by side: `enter` (d + 11, h), `leave` (h, m), and their biases."""

    enter: NDArray[np.float32]
    enter_bias: NDArray[np.float32]
    leave: NDArray[np.float32]
    leave_bias: NDArray[np.float32]

    def scores(self, points: Points) -> Floats:
        """The mean (n, m) of the networks' outputs."""
        hidden = np.maximum(points.wide @ self.enter + self.enter_bias, 0)
        outputs: Floats = (hidden @ self.leave + self.leave_bias).astype(np.float64)
        return outputs

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights and biases."""
        names = ("enter", "enter_bias", "leave", "leave_bias")
        return {f"network.{name}": getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The network of `arrays()`. Raises `ValueError`."""
        enter, enter_bias, leave, leave_bias = (
            single(arrays[f"network.{name}"]) for name in ("enter", "enter_bias", "leave", "leave_bias")
        )
        fits = enter.ndim == leave.ndim == 2 and enter.shape[1:] == enter_bias.shape == leave.shape[:1]
        if not fits or leave_bias.shape != leave.shape[1:]:
            raise ValueError(f"network arrays of shapes {enter.shape} and {leave.shape}")
        return cls(enter, enter_bias, leave, leave_bias)

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Train several networks from different seeds with early stopping; their mean is one wider network."""
        from joblib import Parallel, delayed

        trained = Parallel(n_jobs=lesson.jobs)(
            delayed(_train)(lesson.points.wide, lesson.quality, lesson.seed + number) for number in range(_NETWORKS)
        )
        return cls(
            single(np.hstack([layers[0] for layers in trained])),
            single(np.hstack([layers[1] for layers in trained])),
            single(np.vstack([layers[2] for layers in trained]) / _NETWORKS),
            single(np.mean([layers[3] for layers in trained], axis=0)),
        )


def _train(wide: NDArray[np.float32], quality: Floats, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    network = MLPRegressor(
        hidden_layer_sizes=(_HIDDEN,),
        alpha=_DECAY,
        early_stopping=len(wide) >= _LEAST_VALIDATED,
        learning_rate_init=2e-3,
        max_iter=_EPOCHS,
        n_iter_no_change=12,
        validation_fraction=0.15,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the best epoch counts, not the last
        network.fit(wide, quality)
    enter, leave = network.coefs_
    return enter, network.intercepts_[0], leave.reshape(len(leave), -1), network.intercepts_[1]

"""A learned router: predicts quality, cost and doubt of each model of its pool for a prompt.

It knows training names of models and dollars of the training data; the gateway's own names and prices come in serving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points, Space
from routeiq_routing_ml.model.calibration import Calibration
from routeiq_routing_ml.model.costs import Costs, estimated_tokens
from routeiq_routing_ml.model.doubt import Doubt
from routeiq_routing_ml.model.policy import Prediction
from routeiq_routing_ml.scorers.base import Arrays, Floats, Scorer
from routeiq_routing_ml.scorers.clusters import vote_of

_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class LearnedRouter:
    """`models` are the training names of the pool, in the order of all columns; `default` is one of them."""

    models: tuple[str, ...]
    default: int
    space: Space
    scorer: Scorer
    calibration: Calibration
    costs: Costs
    doubt: Doubt

    def points(self, texts: Sequence[str], embedded: NDArray[Any] | None = None) -> Points:
        """Texts in the router's space; see `Space.points`."""
        return self.space.points(texts, embedded)

    def predict(self, points: Points, tokens: Floats) -> Prediction:
        """What is expected for prompts (n) of these lengths (n,) in tokens."""
        parts = [
            self._predict(points[start : start + _CHUNK], tokens[start : start + _CHUNK])
            for start in range(0, max(1, len(points)), _CHUNK)
        ]
        if len(parts) == 1:
            return parts[0]
        return Prediction(
            np.concatenate([part.quality for part in parts]),
            np.concatenate([part.cost for part in parts]),
            np.concatenate([part.uncertainty for part in parts]),
            np.concatenate([part.new for part in parts]),
        )

    def _predict(self, points: Points, tokens: Floats) -> Prediction:
        similarities = points.z @ self.costs.centers.T
        votes = vote_of(similarities)
        return Prediction(
            self.calibration.apply(self.scorer.scores(points)),
            self.costs.expected(votes, tokens),
            self.doubt.uncertainty(points),
            self.doubt.is_new(similarities),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but names and settings, which the manifest holds."""
        parts = (self.space, self.scorer, self.calibration, self.costs, self.doubt)
        return {name: array for part in parts for name, array in part.arrays().items()}


def tokens_of(texts: Sequence[str]) -> Floats:
    """Estimated prompt tokens (n,) where nobody counted them."""
    return np.array([estimated_tokens(len(text)) for text in texts], dtype=np.float64)


def check_pool(router: LearnedRouter) -> None:
    """Raise `ValueError` when the parts do not speak of the same number of models."""
    m = len(router.models)
    probe = Points(
        np.zeros((1, router.space.dimensions), np.float32), np.zeros((1, len(router.space.mean)), np.float32)
    )
    found: Mapping[str, int] = {
        "scorer": router.scorer.scores(probe).shape[1],
        "calibration": len(router.calibration.slope),
        "costs": router.costs.dollars.shape[1],
        "doubt": len(router.doubt.noise),
    }
    wrong = [f"{name} {count}" for name, count in found.items() if count != m]
    if wrong or not 0 <= router.default < m:
        raise ValueError(f"the pool has {m} models, but: {', '.join(wrong) or 'the default is none of them'}")


def read_arrays(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

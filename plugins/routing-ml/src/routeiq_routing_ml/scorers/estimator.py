"""An estimator of scikit-learn that somebody brought along: fitted on the wide vectors, kept as skops bytes.

Which types may be loaded is on an allow-list; see `artifact.estimators`. Slower than the strategies of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Floats, Lesson


class Regressor(Protocol):
    """What is asked of it: many outputs at once, from dense rows."""

    def fit(self, x: Any, y: Any) -> Any:
        """Learn qualities (n, m) from vectors (n, d)."""

    def predict(self, x: Any) -> Any:
        """Qualities (n, m) of vectors (n, d)."""


@dataclass(frozen=True, slots=True)
class Estimator:
    """`model` is fitted."""

    model: Regressor
    models: int

    def scores(self, points: Points) -> Floats:
        """What the estimator predicts, as (n, m)."""
        predicted = np.asarray(self.model.predict(points.wide), dtype=np.float64)
        return predicted.reshape(len(points), self.models)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """None: it is kept as bytes beside the arrays."""
        return {}

    @classmethod
    def fit(cls, model: Regressor, lesson: Lesson) -> Self:
        """A fresh copy of `model`, fitted."""
        from sklearn.base import clone

        fitted = clone(model)
        fitted.fit(lesson.points.wide, lesson.quality)
        return cls(fitted, lesson.quality.shape[1])

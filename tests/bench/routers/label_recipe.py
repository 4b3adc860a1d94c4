"""Routing as classification: each query has one label, "the best model", and a classifier learns it.
Which model is the label when several are right is the recipe's rule; rules and classifiers live with the recipes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.routers.recipe import Array, Features, Prediction

Labels = npt.NDArray[np.intp]
# Above any rounding, below any vote: only equal scores are moved, to what the classifier itself answers.
ANSWERED = 1e-6


def first_maximum(quality: Array, order: Sequence[int]) -> Labels:
    """The first model in `order` (columns) that has the highest quality; (n, m) -> (n,)."""
    columns = np.asarray(order, dtype=np.intp)
    first: Labels = columns[quality[:, columns].argmax(axis=1)]
    return first


def best_overall_first(quality: Array) -> list[int]:
    """The order in which ties go to the model that is best on the whole training part."""
    return [int(column) for column in np.argsort(-quality.mean(axis=0), kind="stable")]


@dataclass
class LabelRecipe:
    """`order` decides ties of the label; `None` is the best model overall first. No notion of cost."""

    name: str
    classifier: Callable[[int], Any]
    order: Sequence[int] | None
    _fitted: Any = field(init=False, default=None, repr=False)
    _models: int = field(init=False, default=0, repr=False)

    def fit(self, features: Features, quality: Array, cost: Array, seed: int) -> None:
        order = best_overall_first(quality) if self.order is None else self.order
        self._models = quality.shape[1]
        self._fitted = self.classifier(seed)
        self._fitted.fit(features, first_maximum(quality, order))

    def predict(self, features: Features) -> Prediction:
        """Class scores; models that never were a label stay at 0."""
        scores = np.zeros((len(features), self._models))
        classes = self._fitted.classes_
        raw = self._raw(features)
        scores[:, classes] = raw
        rows = np.arange(len(features))
        answers = classes[raw.argmax(axis=1)]
        scores[rows, answers] += ANSWERED
        return Prediction(scores, None)

    def _raw(self, features: Features) -> Array:
        if hasattr(self._fitted, "predict_proba"):
            return np.asarray(self._fitted.predict_proba(features), dtype=np.float64)
        decision = np.asarray(self._fitted.decision_function(features), dtype=np.float64)
        if decision.ndim == 1:  # two classes
            decision = np.column_stack([-decision, decision])
        # One-versus-one votes plus a confidence below one half: scaled to 0..1.
        scaled: Array = (decision + 0.5) / decision.shape[1]
        return scaled

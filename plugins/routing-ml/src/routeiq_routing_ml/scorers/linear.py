"""Linear scorers: ridge regression, logistic regression and a linear support vector machine, a row of weights a model.

All three are kept as one matrix and, for the latter two, a sigmoid; a decision is one small product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson, single, whole_number

_RIDGE_PENALTY = 30.0
_LOGISTIC_C = 0.3
_SVM_C = 0.1
_FOLDS = 3
_CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Linear:
    """`weights` is (d + 11, m), `bias` (m,); `sigmoid` says that the outcome is squeezed into 0..1."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    sigmoid: bool

    def scores(self, points: Points) -> Floats:
        """The linear function's values (n, m), squeezed or not."""
        raw: Floats = (points.wide @ self.weights + self.bias).astype(np.float64)
        return 1 / (1 + np.exp(-raw)) if self.sigmoid else raw

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights, bias and the kind of outcome."""
        kind = np.array([int(self.sigmoid)], np.uint8)
        return {"linear.weights": self.weights, "linear.bias": self.bias, "linear.sigmoid": kind}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The scorer of `arrays()`. Raises `ValueError`."""
        weights, bias = single(arrays["linear.weights"]), single(arrays["linear.bias"])
        if weights.ndim != 2 or bias.shape != weights.shape[1:]:
            raise ValueError(f"linear arrays of shapes {weights.shape} and {bias.shape}")
        return cls(weights, bias, bool(whole_number(arrays["linear.sigmoid"])))

    @classmethod
    def ridge(cls, lesson: Lesson) -> Self:
        """Least squares with a penalty on the weights (Hoerl and Kennard 1970), from sums over chunks of rows."""
        wide = lesson.points.wide
        center, mean = wide.mean(axis=0, dtype=np.float64), lesson.quality.mean(axis=0)
        system = _RIDGE_PENALTY * np.eye(wide.shape[1])
        target = np.zeros((wide.shape[1], lesson.quality.shape[1]))
        for start in range(0, len(wide), _CHUNK):
            part = wide[start : start + _CHUNK].astype(np.float64) - center
            system += part.T @ part
            target += part.T @ (lesson.quality[start : start + _CHUNK] - mean)
        weights = np.linalg.solve(system, target)
        return cls(single(weights), single(mean - center @ weights), sigmoid=False)

    @classmethod
    def logistic(cls, lesson: Lesson) -> Self:
        """Logistic regression a model. A score between 0 and 1 counts as so much of a success, the rest as failure."""
        return cls._each(lesson, _logistic)

    @classmethod
    def svm(cls, lesson: Lesson) -> Self:
        """A linear support vector machine a model on "0.5 or better", with Platt's sigmoid (1999) across folds."""
        return cls._each(lesson, _svm)

    @classmethod
    def _each(cls, lesson: Lesson, fit: Callable[..., tuple[Floats, float]]) -> Self:
        from joblib import Parallel, delayed

        wide = lesson.points.wide.astype(np.float64)
        fitted = Parallel(n_jobs=lesson.jobs)(
            delayed(_or_constant)(fit, wide, lesson.quality[:, model], lesson.seed)
            for model in range(lesson.quality.shape[1])
        )
        weights = np.column_stack([weights for weights, _ in fitted])
        return cls(single(weights), single(np.array([bias for _, bias in fitted])), sigmoid=True)


def _or_constant(
    fit: Callable[..., tuple[Floats, float]], wide: Floats, quality: Floats, seed: int
) -> tuple[Floats, float]:
    """The fit of one model, or its mean where right and wrong do not both occur often enough."""
    good = int((quality >= 0.5).sum())
    if min(good, len(quality) - good) < 2 * _FOLDS:
        mean = float(np.clip(quality.mean(), 0.01, 0.99))
        return np.zeros(wide.shape[1]), float(np.log(mean / (1 - mean)))
    return fit(wide, quality, seed)


def _logistic(wide: Floats, quality: Floats, seed: int) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate([wide, wide])
    labels = np.repeat([1, 0], len(wide))
    shares = np.concatenate([quality, 1 - quality])
    counted = shares > 0
    model = LogisticRegression(C=_LOGISTIC_C, max_iter=400, random_state=seed)
    model.fit(rows[counted], labels[counted], sample_weight=shares[counted])
    return model.coef_[0], float(model.intercept_[0])


def _svm(wide: Floats, quality: Floats, seed: int) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.svm import LinearSVC

    labels = (quality >= 0.5).astype(int)
    machine = LinearSVC(C=_SVM_C, random_state=seed)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    unseen = cross_val_predict(machine, wide, labels, cv=folds, method="decision_function")
    platt = LogisticRegression(C=1e3).fit(unseen[:, None], labels)
    slope, offset = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    machine.fit(wide, labels)
    return machine.coef_[0] * slope, float(machine.intercept_[0] * slope + offset)

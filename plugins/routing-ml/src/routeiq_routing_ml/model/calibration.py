"""Makes scores mean what they say: a straight line for each model, fitted on predictions of unseen prompts.

A line keeps the order of prompts and has two numbers to learn, so it cannot overfit on some hundred of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.scorers.base import Arrays, Floats

_PRIOR_ROWS = 200.0
_MOST_SLOPE = 1.5


@dataclass(frozen=True, slots=True)
class Calibration:
    """`slope` and `intercept` are (m,)."""

    slope: Floats
    intercept: Floats

    def apply(self, scores: Floats) -> Floats:
        """Calibrated qualities (n, m), within 0..1."""
        qualities: Floats = np.clip(scores * self.slope + self.intercept, 0.0, 1.0)
        return qualities

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Slopes and intercepts."""
        return {"calibration.slope": self.slope, "calibration.intercept": self.intercept}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The calibration of `arrays()`. Raises `ValueError`."""
        slope, intercept = (np.asarray(arrays[f"calibration.{name}"], np.float64) for name in ("slope", "intercept"))
        if slope.ndim != 1 or intercept.shape != slope.shape:
            raise ValueError(f"calibration arrays of shapes {slope.shape} and {intercept.shape}")
        return cls(slope, intercept)

    @classmethod
    def fit(cls, unseen: Floats, quality: Floats) -> Self:
        """Least squares of `quality` on predictions of unseen prompts (n, m), the slope drawn towards 1.

        A scorer that gives a model one score for every prompt gets slope 0: the model's mean is all it knows.
        """
        center, mean = unseen.mean(axis=0), quality.mean(axis=0)
        spread = ((unseen - center) ** 2).sum(axis=0)
        shared = ((unseen - center) * (quality - mean)).sum(axis=0)
        typical = spread.mean() / len(unseen)
        prior = _PRIOR_ROWS * typical
        known = spread > 1e-9
        slope = np.where(known, np.clip((shared + prior) / np.where(known, spread + prior, 1), 0, _MOST_SLOPE), 0.0)
        return cls(slope, mean - slope * center)


def reliability(predicted: Floats, actual: Floats, bins: int = 10) -> tuple[list[tuple[float, float, int]], float]:
    """Bins of (mean prediction, mean outcome, count) over all models, and the expected calibration error.

    Naeini et al. (2015): the mean distance between prediction and outcome, weighted by the bins' counts.
    """
    flat, truth = predicted.ravel(), actual.ravel()
    order = np.argsort(flat, kind="stable")
    found = [
        (float(flat[part].mean()), float(truth[part].mean()), len(part))
        for part in np.array_split(order, bins)
        if len(part)
    ]
    error = sum(abs(told - true) * count for told, true, count in found) / max(1, len(flat))
    return found, error

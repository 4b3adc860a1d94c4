"""What a rival recipe is: it learns from features and outcomes, and predicts a quality-like score and a cost a model.
No recipe lives here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """`quality` (n, m): higher is better. `cost` (n, m) in the unit of the training costs; `None` when the recipe has
    no notion of cost, and is lent one."""

    quality: Array
    cost: Array | None


class Recipe(Protocol):
    """A rival. `n` queries, `d` dimensions, `m` models."""

    @property
    def name(self) -> str: ...

    def fit(self, features: Features, quality: Array, cost: Array, seed: int) -> None:
        """Learn from features (n, d), quality (n, m) and cost (n, m) of the training part."""

    def predict(self, features: Features) -> Prediction:
        """Scores for features (n, d)."""

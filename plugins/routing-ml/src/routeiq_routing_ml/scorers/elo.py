"""Elo: one rating a model from all pairwise comparisons in the data, the same for every prompt.

A baseline that knows models but not prompts: it finds the best model of the pool and no more. Ratings are those of
Bradley and Terry (1952), fitted by Hunter's MM algorithm (2004); ties count half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, Lesson

_ROUNDS = 500
_PRIOR_GAMES = 1.0


@dataclass(frozen=True, slots=True)
class Elo:
    """`ratings` is (m,) on Elo's scale: 400 points apart win 10 to 1. Their mean is 1000."""

    ratings: NDArray[np.float64]

    def scores(self, points: Points) -> Floats:
        """The expected result (n, m), 0..1, against an average model of the pool; every prompt gets the same."""
        expected = 1 / (1 + 10 ** ((1000 - self.ratings) / 400))
        return np.tile(expected, (len(points), 1))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ratings."""
        return {"elo.ratings": self.ratings}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The scorer of `arrays()`. Raises `ValueError`."""
        ratings = np.asarray(arrays["elo.ratings"], np.float64)
        if ratings.ndim != 1 or not len(ratings):
            raise ValueError(f"Elo ratings of shape {ratings.shape}")
        return cls(ratings)

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Rate the models; one imagined drawn game a pair keeps undefeated ones finite."""
        quality = lesson.quality
        models = quality.shape[1]
        wins = np.full((models, models), _PRIOR_GAMES / 2)
        for model in range(models):
            better, equal = quality[:, [model]] > quality, quality[:, [model]] == quality
            wins[model] += better.sum(axis=0) + equal.sum(axis=0) / 2
        np.fill_diagonal(wins, 0)
        games, strength = wins + wins.T, np.ones(models)
        for _ in range(_ROUNDS):
            strength = wins.sum(axis=1) / (games / (strength[:, None] + strength)).sum(axis=1)
            strength /= np.exp(np.log(strength).mean())
        return cls(1000 + 400 * np.log10(strength))

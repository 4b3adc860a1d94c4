"""Matrix factorisation: a prompt's place among a few hidden skills, and each model's strength in them.

The table of scores is split by a truncated singular value decomposition; a prompt's place is predicted by ridge
regression. RouteLLM (arXiv 2406.18665) and EmbedLLM factorise with trained model vectors; this is their linear core.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from routeiq_routing_ml.scorers.base import Lesson, single
from routeiq_routing_ml.scorers.linear import Linear

_SKILLS = 4


class Factors(Linear):
    """The product of both halves is a linear function of rank `skills`, and is kept as one."""

    @classmethod
    def fit(cls, lesson: Lesson) -> Self:
        """Ridge regression whose predictions are projected onto the strongest directions among the models."""
        full = Linear.ridge(lesson)
        mean = lesson.quality.mean(axis=0)
        _, _, skills = np.linalg.svd(lesson.quality - mean, full_matrices=False)
        kept = skills[: min(_SKILLS, max(1, len(mean) - 1))]
        projection = kept.T @ kept
        bias = mean + (full.bias - mean) @ projection
        return cls(single(full.weights @ projection), single(bias), sigmoid=False)

"""Lessons with structure: prompts of a few kinds on the sphere, and models that are each good at one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers import forest
from routeiq_routing_ml.scorers.base import Lesson, Scorer
from routeiq_routing_ml.scorers.forest import Forest
from routeiq_routing_ml.scorers.registry import KINDS

DIMENSIONS = 24
KNOWS_PROMPTS = sorted(KINDS.keys() - {"elo"})


def points(rows: int, seed: int = 0, kinds: int = 3, dimensions: int = DIMENSIONS) -> tuple[Points, np.ndarray]:
    """Points (rows) and the kind of each."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(kinds, size=rows)
    centers = np.eye(kinds, dimensions) * 2
    z = centers[kind] + rng.normal(scale=0.25, size=(rows, dimensions))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    s = np.clip(rng.normal(size=(rows, 11)), -3, 3)
    return Points(z.astype(np.float32), s.astype(np.float32)), kind


def lesson(rows: int, seed: int = 0, models: int = 3, kinds: int = 3) -> Lesson:
    """Model number i answers prompts of kind i well (nine of ten are right), others badly (three of ten)."""
    found, kind = points(rows, seed, kinds)
    chance = np.where(kind[:, None] == np.arange(models) % kinds, 0.9, 0.3)
    quality = (np.random.default_rng(seed + 1).random((rows, models)) < chance).astype(float)
    return Lesson(found, quality, seed=0)


def few_trees(monkeypatch: pytest.MonkeyPatch, trees: int = 12) -> None:
    """Forests of a few trees, where it is not quality that is looked at."""
    monkeypatch.setattr(forest, "TREES", trees)
    fit: Callable[..., Forest] = Forest.fit.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(Forest, "fit", classmethod(lambda cls, lesson: fit(cls, lesson, trees)))


def reread(kind: str, scorer: Scorer) -> Scorer:
    """The scorer as an artifact gives it back."""
    return KINDS[kind].read(scorer.arrays())


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)

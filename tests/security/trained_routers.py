"""Small routers that are really trained, and artifacts of them that are properly signed.

What is then done to the artifacts is the tests' business.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge

from routeiq_routing_ml.artifact import estimators, writer
from routeiq_routing_ml.artifact.keys import SigningKey
from routeiq_routing_ml.model.packing import Packed, pack
from routeiq_routing_ml.scorers.estimator import Estimator
from routeiq_routing_ml.training.table import Table
from routeiq_routing_ml.training.trainer import Settings, Trained, train

MODELS = ("small", "large")
ARRAYS, ESTIMATORS = "arrays.safetensors", "estimators.skops"
STORY, CODE = "Tell me a story about ship number {}.", "def solve_{}(xs): return sorted(xs)"


def outcomes() -> Table:
    """`small` is good at stories, `large` at code."""
    texts = [(STORY if row % 2 else CODE).format(row) for row in range(420)]
    noise = np.random.default_rng(1).random((420, 2)) * 0.1
    quality = np.array([[row % 2, 1 - row % 2] for row in range(420)]) * 0.8 + noise
    return Table.of(texts, MODELS, quality, np.full((420, 2), 1e-3), tasks=["one"] * 420)


def router() -> Trained:
    """One that is all arrays."""
    return train(outcomes(), Settings("ridge"))


def custom_router() -> Trained:
    """One with an estimator, so with a skops file."""
    return train(outcomes(), Settings("custom", custom=lambda lesson: Estimator.fit(Ridge(), lesson)))


def publish(
    folder: Path, key: SigningKey, trained: Trained, *, version: int | None = None, expires: datetime | None = None
) -> dict[str, bytes]:
    """Write the artifact; its files by name."""
    scorer = trained.router.scorer
    whole = Packed(trained.router, trained.router, None, None, trained.settings.policy, trained.weights)
    manifest, arrays = pack(
        whole, strategy=trained.settings.strategy, trainer="t", metrics={}, expires=expires, custom=lambda: scorer
    )
    if version is not None:
        manifest = manifest.model_copy(update={"version": version})
    extra = {ESTIMATORS: estimators.dump(scorer.model)} if isinstance(scorer, Estimator) else {}
    writer.write(folder, manifest, arrays, key, extra)
    return {path.name: path.read_bytes() for path in folder.iterdir()}

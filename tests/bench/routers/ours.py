"""Our own strategies behind the functions the bench calls: the only file that knows `routeiq_routing_ml`'s trainer.
Nothing is measured here.

Our strategies see what a gateway sees: the text always, and the embedder's vectors beside it where a view has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.routers.recipe import Array, Features
from bench.routers.tables import Rows
from routeiq_routing_ml.artifact.keys import signing_key, trusted
from routeiq_routing_ml.artifact.loader import Artifact, load
from routeiq_routing_ml.artifact.writer import write
from routeiq_routing_ml.features.space import Points, Space
from routeiq_routing_ml.model.packing import Packed, pack, unpack
from routeiq_routing_ml.model.policy import Policy, Prediction
from routeiq_routing_ml.model.router import LearnedRouter
from routeiq_routing_ml.training.table import Table
from routeiq_routing_ml.training.trainer import Settings
from routeiq_routing_ml.training.trainer import train as train_router

# The first is the default of the plugin; the bars are its bars.
STRATEGIES: tuple[str, ...] = ("ensemble", "knn", "ridge", "mlp", "svm", "logistic", "mf", "kmeans", "elo")
JOBS = 2


@dataclass(frozen=True)
class Queries:
    """Texts, their lengths in tokens (n,), and vectors (n, d) where the view has them."""

    texts: Sequence[str]
    tokens: Array
    features: Features | None

    def __getitem__(self, rows: slice) -> Queries:
        vectors = None if self.features is None else self.features[rows]
        return Queries(self.texts[rows], self.tokens[rows], vectors)


@dataclass(frozen=True)
class Seen:
    """Queries in a router's space: what a decision starts from when the features are given."""

    points: Points
    tokens: Array


@dataclass(frozen=True)
class Trained:
    """A trained strategy of ours, deciding by the plugin's own policy with its default margins."""

    router: LearnedRouter
    policy: Policy
    weights: dict[str, float]
    strategy: str

    def see(self, queries: Queries) -> Seen:
        """Turn queries into points."""
        return Seen(self.router.points(queries.texts, queries.features), queries.tokens)

    def predict(self, seen: Seen) -> Prediction:
        """Expected quality, cost and doubt, each (n, m)."""
        return self.router.predict(seen.points, seen.tokens)

    def choose(self, prediction: Prediction, lam: float = 0.0) -> Rows:
        """Column of the chosen model (n,), abstention included; `lam` is quality a unit of cost."""
        return replace(self.policy, weight=lam).choose(prediction, self.router.default)


def train(
    strategy: str,
    queries: Queries,
    quality: Array,
    cost: Array,
    tasks: Sequence[str],
    models: Sequence[str],
    seed: int,
) -> Trained:
    """Train on one training part, margins and all settings included."""
    table = Table.of(queries.texts, models, quality, cost, tokens=queries.tokens, tasks=tasks)
    # The default as it is shipped; the others with fewer folds, which only serve to calibrate, and in its space.
    folds = {} if strategy == STRATEGIES[0] else {"folds": 2}
    settings = Settings(strategy, seed, JOBS, **folds)
    made = train_router(table, settings, queries.features, space=_spaces.get(id(queries.texts)))
    _spaces.clear()
    _spaces[id(queries.texts)] = made.router.space
    return Trained(made.router, made.settings.policy, made.weights, strategy)


_spaces: dict[int, Space] = {}
"""The space of the part that was trained on last: strategies take turns on one part."""


def write_artifact(trained: Trained, folder: Path) -> None:
    """Write the signed artifact of a router without vectors, keys included, into the empty `folder`."""
    packed = Packed(trained.router, trained.router, None, None, trained.policy, trained.weights)
    manifest, arrays = pack(packed, strategy=trained.strategy, trainer="bench 1", metrics={})
    write(folder / "router", manifest, arrays, signing_key(folder / "keys"))


def load_artifact(folder: Path) -> Artifact:
    """Load and verify what `write_artifact` wrote. This is timed."""
    return load(folder / "router", trusted(folder / "keys"))


def make_ready(artifact: Artifact) -> Packed:
    """Rebuild its routers and run their self-test: what a hot reload does before it swaps. This is timed."""
    return unpack(artifact.manifest, artifact.arrays)

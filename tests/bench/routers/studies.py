"""Beside the main protocol: tasks never seen, harmless noise, the time of a decision on a fixed pool and of a load.
Each returns plain figures; nothing is averaged over splits or judged here."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from random import Random

import numpy as np

from bench.routers import ours
from bench.routers.entrants import Entrant, Ours
from bench.routers.noise import NOISES
from bench.routers.protocol import decision_times
from bench.routers.tables import Table
from bench.routers.views import Cut, Part, View, cut
from routeiq_routing_ml.training import metrics

FEWEST_FAMILIES = 3
ROBUSTNESS_QUERIES = 200
POOL_ROWS, POOL_MODELS, POOL_DIMENSIONS = 5000, 10, 384
LOADS = 7


def has_unseen_tasks(table: Table) -> bool:
    return len(set(table.task_families)) >= FEWEST_FAMILIES


def change_on_test(entrant: Entrant, parts: Cut) -> float:
    """Mean quality of the choices minus that of the model that was best on the training part."""
    best = metrics.best_single(parts.train.quality, parts.train.cost)
    quality, cost = parts.test.quality, parts.test.cost
    return metrics.point(entrant.decide(parts.test, 0.0), quality, cost)[1] - float(quality[:, best].mean())


def robustness(entrant: Entrant, test: Part) -> dict[str, float]:
    """Noise -> share of decisions that stay, over the first queries of the test part."""
    texts = list(test.texts[:ROBUSTNESS_QUERIES])
    some = Part(
        texts,
        test.tasks[: len(texts)],
        test.features[: len(texts)],
        test.tokens[: len(texts)],
        test.quality[: len(texts)],
        test.cost[: len(texts)],
    )
    before = entrant.decide_texts(texts, some)
    stayed = {}
    for name, disturb in NOISES.items():
        random = Random(0)
        after = entrant.decide_texts([disturb(text, random) for text in texts], some)
        stayed[name] = metrics.unchanged(before, after)
    return stayed


def fixed_pool(seed: int = 0) -> Cut:
    """5,000 rows x 10 models of 384 dimensions with clusters in them, and 500 queries: nothing to learn from, only to
    time."""
    random = np.random.default_rng(seed)
    count = POOL_ROWS + 500
    centres = random.normal(size=(40, POOL_DIMENSIONS))
    member = random.integers(0, len(centres), count)
    vectors = centres[member] + random.normal(size=(count, POOL_DIMENSIONS))
    features = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    right = random.random((len(centres), POOL_MODELS))
    quality = (random.random((count, POOL_MODELS)) < right[member]).astype(np.float64)
    tokens = random.integers(10, 500, count).astype(np.float64)
    cost = tokens[:, None] * np.geomspace(1e-7, 1e-5, POOL_MODELS)
    texts = tuple(f"query {index}" for index in range(count))
    models = tuple(f"model-{index}" for index in range(POOL_MODELS))
    table = Table("fixed pool", models, texts, tuple(map(str, member)), tokens, quality, cost, features)
    return cut(table, View.MINILM, np.arange(POOL_ROWS), np.arange(POOL_ROWS, count), seed)


def decision_p50_ms(entrant: Entrant, pool: Cut) -> float:
    return float(np.median(decision_times(entrant, pool.test, 300))) / 1000


def artifact_ms(entrant: Ours) -> tuple[float, float]:
    """Median milliseconds to load and verify the artifact of a trained strategy, and to make it ready to decide."""
    with tempfile.TemporaryDirectory(prefix="bench-artifact-") as name:
        folder = Path(name)
        ours.write_artifact(entrant.trained, folder)
        loads, swaps = [], []
        for _ in range(LOADS + 1):
            began = time.perf_counter()
            artifact = ours.load_artifact(folder)
            loads.append((time.perf_counter() - began) * 1000)
            ours.make_ready(artifact)
            swaps.append((time.perf_counter() - began) * 1000)
    return float(np.median(loads[1:])), float(np.median(swaps[1:]))  # the first load imports

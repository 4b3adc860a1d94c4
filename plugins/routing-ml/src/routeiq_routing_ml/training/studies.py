"""What a report tells beyond one figure: how the gain grows with data, and whether small noise turns decisions.

Both are bounded in time: cheap strategies, at most some thousand rows. Drawing is the business of `plots`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.model.policy import Policy, Prediction
from routeiq_routing_ml.scorers.base import Floats, Lesson
from routeiq_routing_ml.scorers.registry import KINDS
from routeiq_routing_ml.training import metrics
from routeiq_routing_ml.training.embedding import embed
from routeiq_routing_ml.training.trainer import Progress, Trained, in_chunks, silent
from routeiq_sdk import Embedder

CHEAP: Final = ("knn", "ridge", "mf", "elo")
"""Strategies that are fitted in a moment."""
SMALLEST: Final = 200
_MOST_ROWS: Final = 16_000
_DRAWS: Final = 3
_HELD_OUT: Final = 0.2
_DISTURBED: Final = 300
_DISTURBED_EMBEDDED: Final = 60
_TYPOS: Final = 0.05


def learning_curve(
    trained: Trained, embedded: NDArray[np.float32] | None, progress: Progress = silent
) -> dict[str, list[tuple[int, float]]]:
    """Strategy -> (training queries, gap closed on a fifth held out), means of three draws.

    The strategy itself if it is cheap, and kNN. The space is that of the whole training, which has seen no score.
    """
    table, rng = trained.table, np.random.default_rng(trained.settings.seed)
    kept = rng.permutation(len(table))[:_MOST_ROWS]
    table = table.rows(kept)
    points = trained.router.points(table.texts, None if embedded is None else embedded[kept])
    lesson = Lesson(points, table.quality, trained.settings.seed)
    tested = int(len(table) * _HELD_OUT)
    sizes = _sizes(len(table) - tested)
    names = list(dict.fromkeys([*(n for n in [trained.settings.strategy] if n in CHEAP), "knn"]))
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
    for place, size in enumerate(sizes):
        gaps: dict[str, list[float]] = {name: [] for name in names}
        for draw in range(_DRAWS):
            order = np.random.default_rng([trained.settings.seed, draw]).permutation(len(table))
            test, seen = order[:tested], order[tested : tested + size]
            for name in names:
                scores = in_chunks(KINDS[name].fit(lesson[seen]), points[test])
                gaps[name].append(_gap(scores, table.quality, table.cost, seen, test, trained.settings.policy))
        for name in names:
            found[name].append((size, float(np.mean(gaps[name]))))
        progress("learning curve", place + 1, len(sizes))
    return found


def _sizes(most: int) -> list[int]:
    sizes = [SMALLEST * 2**power for power in range(20) if SMALLEST * 2**power < 0.8 * most]
    return [*sizes, most]


def _gap(
    scores: Floats, quality: Floats, cost: Floats, seen: NDArray[np.intp], test: NDArray[np.intp], policy: Policy
) -> float:
    best = metrics.best_single(quality[seen], cost[seen])
    usual = np.tile(cost[seen].mean(axis=0), (len(test), 1))
    told = Prediction(scores, usual, np.zeros_like(scores), np.zeros(len(test), np.bool_))
    point = metrics.point(policy.choose(told, best), quality[test], cost[test])[1]
    ceiling = metrics.point(metrics.oracle(quality[test], cost[test]), quality[test], cost[test])[1]
    return metrics.gap(point, float(quality[test][:, best].mean()), ceiling)


def _typos(text: str, rng: np.random.Generator) -> str:
    """About every twentieth pair of neighbouring letters changes places."""
    letters = list(text)
    for place in range(len(letters) - 1):
        if letters[place].isalpha() and letters[place + 1].isalpha() and rng.random() < _TYPOS:
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return "".join(letters)


NOISES: Mapping[str, Callable[[str, np.random.Generator], str]] = {
    "upper case": lambda text, rng: text.upper(),
    "white space": lambda text, rng: "  " + text.replace(" ", "  ") + "\n",
    "typing mistakes": _typos,
}
"""Ways to disturb a prompt that should not change what it asks."""


def robustness(
    trained: Trained, embedded: NDArray[np.float32] | None, asked: Embedder | None, progress: Progress = silent
) -> tuple[int, dict[str, float]]:
    """How many training prompts were disturbed, and for each noise the share whose decision stayed the same."""
    table, rng = trained.table, np.random.default_rng(trained.settings.seed)
    rows = rng.permutation(len(table))[: _DISTURBED if asked is None else _DISTURBED_EMBEDDED]
    texts = [table.texts[row] for row in rows]
    before = _decisions(trained, texts, table.tokens[rows], None if embedded is None else embedded[rows])
    found: dict[str, float] = {}
    for name, noise in NOISES.items():
        disturbed = [noise(text, rng) for text in texts]
        vectors = None if asked is None else embed(asked, disturbed, silent)
        found[name] = metrics.unchanged(before, _decisions(trained, disturbed, table.tokens[rows], vectors))
        progress("robustness", len(found), len(NOISES))
    return len(rows), found


def _decisions(
    trained: Trained, texts: Sequence[str], tokens: Floats, vectors: NDArray[np.float32] | None
) -> NDArray[np.intp]:
    router = trained.router
    prediction = router.predict(router.points(texts, vectors), tokens)
    return trained.settings.policy.choose(prediction, router.default)

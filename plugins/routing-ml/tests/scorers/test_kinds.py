"""Every strategy learns what there is to learn, repeats under a seed, survives its artifact and odd data."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Lesson, Scorer
from routeiq_routing_ml.scorers.registry import KINDS

from .lessons import DIMENSIONS, KNOWS_PROMPTS, equal, few_trees, lesson, points, reread

TRAINING, UNSEEN = lesson(360), lesson(300, seed=50)


@pytest.fixture(scope="module")
def fitted() -> dict[str, Scorer]:
    return {name: kind.fit(TRAINING) for name, kind in KINDS.items()}


def sound(scores: np.ndarray, rows: int, models: int) -> None:
    assert scores.shape == (rows, models)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", KNOWS_PROMPTS)
def test_it_beats_the_best_single_model_on_prompts_it_has_not_seen(fitted: dict[str, Scorer], name: str) -> None:
    scores = fitted[name].scores(UNSEEN.points)
    sound(scores, len(UNSEEN.points), 3)
    chosen = UNSEEN.quality[np.arange(len(scores)), scores.argmax(axis=1)].mean()
    best, oracle = UNSEEN.quality.mean(axis=0).max(), 0.9
    assert chosen - best > 0.7 * (oracle - best)


@pytest.mark.parametrize("name", KNOWS_PROMPTS)
def test_its_scores_are_on_the_scale_of_the_qualities(fitted: dict[str, Scorer], name: str) -> None:
    scores = fitted[name].scores(UNSEEN.points)
    assert scores.mean() == pytest.approx(UNSEEN.quality.mean(), abs=0.06)
    assert ((scores - UNSEEN.quality) ** 2).mean() < UNSEEN.quality.var()


def test_elo_finds_the_best_model_and_scores_every_prompt_alike(fitted: dict[str, Scorer]) -> None:
    uneven = replace(TRAINING, quality=TRAINING.quality * [1.0, 0.2, 0.5])
    scores = KINDS["elo"].fit(uneven).scores(UNSEEN.points)
    sound(scores, len(UNSEEN.points), 3)
    assert (scores == scores[0]).all()
    assert scores[0].argmax() == 0
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("name", KINDS)
def test_one_seed_makes_one_scorer(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    few_trees(monkeypatch)
    part = TRAINING[np.arange(150)]
    assert equal(KINDS[name].fit(part).arrays(), KINDS[name].fit(part).arrays())


@pytest.mark.parametrize("name", ["ensemble", "knn", "mlp"])
def test_another_seed_makes_another_scorer(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    few_trees(monkeypatch)
    part = TRAINING[np.arange(150)]
    assert not equal(KINDS[name].fit(part).arrays(), KINDS[name].fit(replace(part, seed=9)).arrays())


@pytest.mark.parametrize("name", KINDS)
def test_its_arrays_come_back_with_the_same_scores(fitted: dict[str, Scorer], name: str) -> None:
    again = reread(name, fitted[name])
    moved = np.abs(again.scores(UNSEEN.points) - fitted[name].scores(UNSEEN.points))
    assert np.quantile(moved, 0.9) < 2e-3
    assert moved.max() < 0.05  # half precision of stored vectors may move one over the edge of the k nearest
    twice = reread(name, again)
    assert equal(again.arrays(), twice.arrays())
    np.testing.assert_array_equal(twice.scores(UNSEEN.points), again.scores(UNSEEN.points))


@pytest.mark.parametrize("name", KINDS)
def test_a_prompt_alone_is_scored_as_among_others(fitted: dict[str, Scorer], name: str) -> None:
    together = fitted[name].scores(UNSEEN.points[:8])
    alone = np.vstack([fitted[name].scores(UNSEEN.points[row : row + 1]) for row in range(8)])
    np.testing.assert_allclose(alone, together, atol=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_no_prompts_get_no_scores(fitted: dict[str, Scorer], name: str) -> None:
    sound(fitted[name].scores(UNSEEN.points[:0]), 0, 3)


@pytest.mark.parametrize("name", KINDS)
def test_scoring_changes_neither_the_prompts_nor_the_scorer(fitted: dict[str, Scorer], name: str) -> None:
    given = UNSEEN.points[:5]
    before, arrays = Points(given.z.copy(), given.s.copy()), {k: v.copy() for k, v in fitted[name].arrays().items()}
    fitted[name].scores(given)
    np.testing.assert_array_equal(given.z, before.z)
    np.testing.assert_array_equal(given.s, before.s)
    assert equal(fitted[name].arrays(), arrays)


def odd(name: str) -> Lesson:
    base, _ = points(60)
    lot = np.random.default_rng(1).integers(0, 2, (60, 3)).astype(float)
    return {
        "all right": Lesson(base, np.ones((60, 3))),
        "all wrong": Lesson(base, np.zeros((60, 3))),
        "one score for all": Lesson(base, np.full((60, 3), 0.37)),
        "one model always right": Lesson(base, np.column_stack([np.ones(60), lot[:, :2]])),
        "one prompt": Lesson(base[np.zeros(60, int)], lot),
        "prompts twice": Lesson(base[np.tile(np.arange(30), 2)], lot),
        "no surface": Lesson(Points(base.z, np.zeros_like(base.s)), lot),
        "zero vectors": Lesson(Points(np.zeros_like(base.z), base.s), lot),
        "seven rows": Lesson(base[:7], lot[:7]),
        "two rows": Lesson(base[:2], lot[:2]),
        "one row": Lesson(base[:1], lot[:1]),
        "two models": Lesson(base, lot[:, :2]),
        "graded": Lesson(base, np.random.default_rng(2).random((60, 3))),
    }[name]


ODD = (
    "all right",
    "all wrong",
    "one score for all",
    "one model always right",
    "one prompt",
    "prompts twice",
    "no surface",
    "zero vectors",
    "seven rows",
    "two rows",
    "one row",
    "two models",
    "graded",
)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("data", ODD)
def test_odd_data_still_gives_finite_scores(monkeypatch: pytest.MonkeyPatch, name: str, data: str) -> None:
    few_trees(monkeypatch, 4)
    given = odd(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn about its clusters of one prompt
        scorer = KINDS[name].fit(given)
    scores = scorer.scores(UNSEEN.points[:6])
    sound(scores, 6, given.quality.shape[1])
    if data != "one prompt":  # where all are the nearest, which of them count is left to rounding
        np.testing.assert_allclose(reread(name, scorer).scores(UNSEEN.points[:6]), scores, atol=0.05)
    if data in ("all right", "all wrong", "one score for all") and name not in ("elo", "mlp"):
        np.testing.assert_allclose(scores, given.quality[:6], atol=0.05)


@pytest.mark.parametrize("name", KINDS)
def test_fifty_models_are_scored_each_in_its_own_column(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    few_trees(monkeypatch, 4)
    many = lesson(80, models=50)
    quality = many.quality.copy()
    quality[:, 17] = 1.0
    scores = KINDS[name].fit(replace(many, quality=quality)).scores(UNSEEN.points)
    sound(scores, len(UNSEEN.points), 50)
    if name != "mf":  # four skills for fifty models cannot hold one that is apart from all
        assert scores.mean(axis=0).argmax() == 17


def broken(array: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "empty": np.zeros((0,), array.dtype),
        "scalar": np.zeros((), array.dtype),
        "one axis more": array[None],
        "cut": array[:-1],
        "doubled": np.concatenate([array, array]),
        "words": np.full(array.shape, "x"),
    }


@pytest.mark.parametrize("name", KINDS)
def test_arrays_of_another_shape_are_refused_or_score_without_reading_beyond(
    fitted: dict[str, Scorer], name: str
) -> None:
    arrays = fitted[name].arrays()
    refused = 0
    for key, array in arrays.items():
        for change in broken(array).values():
            try:
                # Other lengths can be a sound scorer, of fewer neighbours or trees; a pool's check scores one prompt.
                scores = KINDS[name].read({**arrays, key: change}).scores(UNSEEN.points[:3])
            except (ValueError, KeyError):
                refused += 1
                continue
            assert scores.ndim == 2
            assert np.isfinite(scores).all()
    assert refused >= 3 * len(arrays)


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_array_is_named(fitted: dict[str, Scorer], name: str) -> None:
    arrays = fitted[name].arrays()
    for key in arrays:
        without: dict[str, Any] = {other: array for other, array in arrays.items() if other != key}
        with pytest.raises(KeyError, match=key):
            KINDS[name].read(without)


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"elo"}))
def test_prompts_of_another_space_are_refused_by_shape(fitted: dict[str, Scorer], name: str) -> None:
    strange, _ = points(3, dimensions=DIMENSIONS + 5)
    if name == "ensemble" or "forest.roots" not in fitted[name].arrays():
        with pytest.raises(ValueError):
            fitted[name].scores(strange)

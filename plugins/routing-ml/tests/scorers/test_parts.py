"""Each scorer computes what its method says: checked against scikit-learn, plain formulas and known truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

from routeiq_routing_ml.features.space import COARSE, Points
from routeiq_routing_ml.features.surface import NAMES
from routeiq_routing_ml.scorers import kernel, linear, neighbours
from routeiq_routing_ml.scorers.base import Lesson
from routeiq_routing_ml.scorers.clusters import MOST_CLUSTERS, Clusters
from routeiq_routing_ml.scorers.elo import Elo
from routeiq_routing_ml.scorers.ensemble import Ensemble
from routeiq_routing_ml.scorers.estimator import Estimator
from routeiq_routing_ml.scorers.factors import Factors
from routeiq_routing_ml.scorers.forest import Forest
from routeiq_routing_ml.scorers.kernel import PENALTY, WIDTH, Kernel
from routeiq_routing_ml.scorers.linear import Linear
from routeiq_routing_ml.scorers.neighbours import Neighbours

from .lessons import few_trees, lesson, points

TRAINING = lesson(300)
UNSEEN = points(120, seed=9)[0]


def test_trees_are_walked_to_the_leaves_that_scikit_learn_finds() -> None:
    mine = Forest.fit(TRAINING, trees=7)
    theirs = ExtraTreesRegressor(7, min_samples_leaf=5, max_features=0.3, max_depth=14, random_state=TRAINING.seed)
    rows = np.random.default_rng(TRAINING.seed).permutation(len(TRAINING.points))
    theirs.fit(TRAINING.points.coarse[rows], TRAINING.quality[rows])
    assert UNSEEN.coarse.dtype == np.float32
    told = theirs.predict(UNSEEN.coarse)
    np.testing.assert_allclose(mine.scores(UNSEEN), told, atol=1e-6)
    for row in range(20):
        np.testing.assert_allclose(mine.scores(UNSEEN[row : row + 1])[0], told[row], atol=1e-6)


def test_a_value_that_equals_a_threshold_goes_left_as_in_scikit_learn() -> None:
    forest = Forest(
        roots=np.array([0], np.int32),
        feature=np.array([1, 0, 0], np.int16),
        threshold=np.array([0.25, 0, 0], np.float32),
        children=np.array([1, 2, 1, 1, 2, 2], np.int32),
        values=np.array([[0.5], [0.1], [0.9]], np.float32),
        depth=5,
    )
    z = np.array([[0, 0.25], [0, 0.2500001], [0, -1]], np.float32)
    given = Points(z, np.zeros((3, 11), np.float32))
    np.testing.assert_allclose(forest.scores(given)[:, 0], [0.1, 0.9, 0.1])
    assert [forest.scores(given[row : row + 1]).item() for row in range(3)] == pytest.approx([0.1, 0.9, 0.1])


def forest_arrays(**changes: Any) -> dict[str, Any]:
    grown = Forest.fit(TRAINING[np.arange(60)], trees=2).arrays()
    return {**grown, **{f"forest.{name}": value for name, value in changes.items()}}


@pytest.mark.parametrize(("name", "value"), [("children", -1), ("children", 10**6), ("roots", 10**6), ("roots", -2)])
def test_a_node_that_points_outside_is_refused(name: str, value: int) -> None:
    array = forest_arrays()[f"forest.{name}"].copy()
    array[-1] = value
    with pytest.raises(ValueError, match="do not fit together"):
        Forest.from_arrays(forest_arrays(**{name: array}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("depth", np.array([65])),
        ("depth", np.array([-1])),
        ("depth", np.array([3, 3])),
        ("feature", np.full(10_000, -1)),
        ("roots", np.array([[0], [1]])),
        ("values", np.zeros(4)),
    ],
)
def test_a_forest_that_makes_no_sense_is_refused(name: str, value: np.ndarray) -> None:
    with pytest.raises(ValueError):
        Forest.from_arrays(forest_arrays(**{name: value}))


def test_a_forest_that_splits_on_a_column_that_no_prompt_has_is_refused() -> None:
    feature = forest_arrays()["forest.feature"].copy()
    feature[0] = COARSE + len(NAMES)
    with pytest.raises(ValueError, match="do not fit together"):
        Forest.from_arrays(forest_arrays(feature=feature))


def test_a_walk_in_a_circle_ends() -> None:
    arrays = forest_arrays()
    forest = Forest.from_arrays({**arrays, "forest.children": np.zeros_like(arrays["forest.children"])})
    assert np.isfinite(forest.scores(UNSEEN)).all()


def test_the_kernel_is_ridge_regression_on_a_gaussian_of_distances() -> None:
    mine = Kernel.fit(TRAINING)
    x, y = TRAINING.points.z.astype(float), TRAINING.quality

    def gauss(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-WIDTH * ((a[:, None] - b[None]) ** 2).sum(axis=2))

    dual = np.linalg.solve(gauss(x, x) + PENALTY * np.eye(len(x)), y - y.mean(axis=0))
    np.testing.assert_allclose(mine.scores(UNSEEN), gauss(UNSEEN.z.astype(float), x) @ dual + y.mean(axis=0), atol=1e-4)


def test_with_more_rows_than_landmarks_the_kernel_is_nearly_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = Kernel.fit(TRAINING).scores(UNSEEN)
    monkeypatch.setattr(kernel, "MOST_LANDMARKS", 120)
    approximate = Kernel.fit(TRAINING)
    assert len(approximate.landmarks) == 120
    assert approximate.weights.shape == (120, 3)
    error = np.abs(approximate.scores(UNSEEN) - exact)
    assert error.mean() < 0.02
    assert error.mean() < 0.1 * exact.std()


def test_neighbours_are_weighted_by_similarity_and_the_nearest_counts_most() -> None:
    store = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0]], np.float32)
    values = np.array([[1, 0], [0, 1], [0.5, 0.5], [9, 9]], np.float32)
    scores = Neighbours(store, values, 3).scores(Points(np.array([[1, 0]], np.float32), np.zeros((1, 11), np.float32)))
    weights = np.exp(8 * (np.array([1, 0.6, 0]) - 1))
    np.testing.assert_allclose(scores[0], weights @ values[:3] / weights.sum(), rtol=1e-5)


def test_the_nearest_are_told_nearest_first_and_no_more_than_there_are() -> None:
    found = Neighbours.fit(TRAINING)
    rows, similarities = found.nearest(UNSEEN[:4], 5)
    every = UNSEEN.z[:4] @ found.store.T
    np.testing.assert_allclose(similarities, np.sort(every, axis=1)[:, ::-1][:, :5], rtol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(every, rows, axis=1), similarities)
    assert found.nearest(UNSEEN[:1], 10_000)[0].shape == (1, len(found.store))


def test_more_rows_than_a_store_keeps_are_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST_ROWS", 100)
    thinned = Neighbours.fit(TRAINING)
    assert len(thinned.store) == len(thinned.values) == 100
    assert len(np.unique(thinned.store, axis=0)) == 100
    assert thinned.k == round(1.33 * 10)


@pytest.mark.parametrize("k", [0, -1, 5])
def test_more_neighbours_than_the_store_has_or_none_are_refused(k: int) -> None:
    arrays = {"knn.store": np.zeros((4, 2)), "knn.values": np.zeros((4, 3)), "knn.k": np.array([k])}
    with pytest.raises(ValueError, match=f"k = {k}"):
        Neighbours.from_arrays(arrays)


def test_the_ensemble_is_the_mean_of_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    few_trees(monkeypatch)
    monkeypatch.setattr(kernel, "MOST_LANDMARKS", 150)
    whole = Ensemble.fit(TRAINING)
    members = (Neighbours.fit(TRAINING), Kernel.fit(TRAINING), Forest.fit(TRAINING))
    mean = np.mean([member.scores(UNSEEN) for member in members], axis=0)
    np.testing.assert_allclose(whole.scores(UNSEEN), mean, atol=1e-5)
    assert "kernel.landmarks" not in whole.arrays()
    np.testing.assert_allclose(Ensemble.from_arrays(whole.arrays()).scores(UNSEEN), mean, atol=0.02)


@pytest.mark.parametrize("member", ["kernel.weights", "forest.values", "knn.values"])
def test_members_that_know_different_numbers_of_models_are_refused(
    monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    few_trees(monkeypatch)
    arrays = Ensemble.fit(TRAINING[np.arange(60)]).arrays()
    arrays[member] = arrays[member][:, :1]
    if member == "kernel.weights":
        arrays["kernel.mean"] = arrays["kernel.mean"][:1]
    with pytest.raises(ValueError, match=r"different numbers of models: \[1, 3\]"):
        Ensemble.from_arrays(arrays)


def test_ridge_is_scikit_learns_also_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_CHUNK", 70)
    theirs = Ridge(alpha=30.0).fit(TRAINING.points.wide.astype(float), TRAINING.quality)
    np.testing.assert_allclose(
        Linear.ridge(TRAINING).scores(UNSEEN), theirs.predict(UNSEEN.wide.astype(float)), atol=1e-4
    )


def test_logistic_regression_counts_a_half_right_answer_as_half_of_each() -> None:
    half = Lesson(TRAINING.points, TRAINING.quality * 0.5 + 0.25)
    scores = Linear.logistic(half).scores(UNSEEN)
    assert scores.mean() == pytest.approx(half.quality.mean(), abs=0.05)
    assert scores.min() > 0.2
    assert scores.max() < 0.8


@pytest.mark.parametrize("fit", [Linear.logistic, Linear.svm])
def test_a_model_that_is_nearly_always_right_gets_its_mean(fit: Any) -> None:
    quality = TRAINING.quality.copy()
    quality[:, 1] = 1.0
    quality[:4, 1] = 0.0
    scores = fit(Lesson(TRAINING.points, quality)).scores(UNSEEN)
    np.testing.assert_allclose(scores[:, 1], quality[:, 1].mean(), atol=1e-5)
    assert scores[:, 0].std() > 0.05


def test_factors_are_ridge_predictions_of_rank_four_at_most() -> None:
    many = lesson(200, models=12, kinds=3)
    found = Factors.fit(many)
    assert np.linalg.matrix_rank(found.weights, tol=1e-4) <= 4
    two = Factors.fit(lesson(200, models=2))
    assert np.linalg.matrix_rank(two.weights, tol=1e-4) == 1


def test_elo_recovers_the_order_and_the_distances_of_known_ratings() -> None:
    ratings = np.array([1200.0, 900.0, 1050.0, 850.0])
    rng = np.random.default_rng(4)
    # Gumbel noise on the log scale: differences are logistic, as Bradley and Terry have it
    quality = ratings * np.log(10) / 400 + rng.gumbel(size=(4000, 4))
    fitted = Elo.fit(Lesson(points(4000)[0], quality)).ratings
    assert fitted.mean() == pytest.approx(1000)
    np.testing.assert_allclose(fitted, ratings, atol=20)
    assert list(np.argsort(fitted)) == list(np.argsort(ratings))


def test_elo_keeps_an_undefeated_model_finite_and_ties_level() -> None:
    wins = Elo.fit(Lesson(points(50)[0], np.column_stack([np.ones(50), np.zeros(50)]))).ratings
    assert np.isfinite(wins).all()
    assert wins[0] > wins[1] + 400
    np.testing.assert_allclose(Elo.fit(Lesson(points(50)[0], np.ones((50, 3)))).ratings, 1000)


def test_a_tie_is_half_a_win_and_one_drawn_game_is_imagined() -> None:
    quality = np.array([[1.0, 0.0]] * 2 + [[0.5, 0.5]] * 8)
    ahead, behind = Elo.fit(Lesson(points(10)[0], quality)).ratings
    assert ahead - behind == pytest.approx(400 * np.log10((2 + 4 + 0.5) / (4 + 0.5)))


@pytest.mark.parametrize("ratings", [np.zeros(0), np.zeros((2, 2)), np.array(5.0)])
def test_elo_ratings_of_another_shape_are_refused(ratings: np.ndarray) -> None:
    with pytest.raises(ValueError):
        Elo.from_arrays({"elo.ratings": ratings})


def test_votes_of_clusters_add_up_and_come_from_the_nearest_four() -> None:
    found = Clusters.fit(TRAINING)
    votes = found.vote(UNSEEN)
    assert votes.shape == (len(UNSEEN), len(found.centers))
    assert 1 < len(found.centers) <= MOST_CLUSTERS
    np.testing.assert_allclose(votes.sum(axis=1), 1)
    assert (votes >= 0).all()
    assert ((votes > 0).sum(axis=1) <= 4).all()
    np.testing.assert_array_equal(votes.argmax(axis=1), (UNSEEN.z @ found.centers.T).argmax(axis=1))


def test_a_new_model_is_one_new_column_and_the_others_stay() -> None:
    found = Clusters.fit(TRAINING)
    wider = found.with_model(TRAINING.points, TRAINING.quality[:, 1])
    assert wider.table.shape == (len(found.centers), 4)
    np.testing.assert_array_equal(wider.table[:, :3], found.table)
    np.testing.assert_allclose(wider.scores(UNSEEN)[:, 3], found.scores(UNSEEN)[:, 1], atol=1e-6)
    assert found.table.shape == (len(found.centers), 3)


def test_a_cluster_of_few_rows_is_drawn_towards_the_overall_mean() -> None:
    few = Clusters.fit(TRAINING)
    new = few.with_model(TRAINING.points[:3], np.array([1.0, 1.0, 0.0]))
    assert (np.abs(new.table[:, 3] - 2 / 3) < 0.15).all()


def test_an_estimator_of_scikit_learn_is_a_scorer_and_the_one_given_stays_unfitted() -> None:
    given = MLPRegressor(hidden_layer_sizes=(8,), max_iter=500, random_state=0)
    scorer = Estimator.fit(given, TRAINING)
    assert scorer.scores(UNSEEN).shape == (len(UNSEEN), 3)
    assert not hasattr(given, "coefs_")
    assert scorer.arrays() == {}
    two = Estimator.fit(Ridge(), TRAINING).scores(UNSEEN[:1])
    assert two.shape == (1, 3)


def test_an_estimator_that_predicts_other_models_is_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        Estimator(Ridge().fit(TRAINING.points.wide, TRAINING.quality), 4).scores(UNSEEN)

"""The rival recipes: each does what its paper or source says, on data small enough to know the answer."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from bench.routers.cluster_table import ClusterTable
from bench.routers.entrants import LentCost
from bench.routers.knn_scores import KnnScores
from bench.routers.label_recipe import LabelRecipe, best_overall_first, first_maximum
from bench.routers.llmrouter import recipes
from bench.routers.noise import NOISES
from bench.routers.pair import Pair
from bench.routers.pair_factors import PairFactors
from bench.routers.pair_similarity import PairSimilarity
from bench.routers.recipe import Recipe
from bench.routers.text_features import TextFeatures
from routeiq_routing_ml.training import metrics


def two_topics(count: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two directions of unit vectors; on each another model is right, the third never is."""
    random = np.random.default_rng(5)
    topic = np.arange(count) % 2
    features = np.eye(2, 8)[topic] + random.normal(0, 0.1, (count, 8))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    quality = np.zeros((count, 3))
    quality[np.arange(count), topic] = 1.0
    return features.astype(np.float32), quality, np.tile([2.0, 1.0, 3.0], (count, 1))


LABELS = [*recipes([0, 1, 2]), LabelRecipe("label kNN", lambda seed: KNeighborsClassifier(5), None)]


@pytest.mark.parametrize("recipe", [KnnScores(), ClusterTable(clusters=6), *LABELS], ids=lambda recipe: recipe.name)
def test_a_recipe_learns_which_model_is_right_on_which_topic(recipe: Recipe) -> None:
    features, quality, cost = two_topics()
    recipe.fit(features[:150], quality[:150], cost[:150], seed=1)
    predicted = recipe.predict(features[150:])
    assert predicted.quality.shape == (50, 3)
    chosen = metrics.choose(predicted.quality, cost[150:])
    assert (chosen == quality[150:].argmax(axis=1)).all()


@pytest.mark.parametrize("recipe", [KnnScores(), ClusterTable(clusters=6)], ids=lambda recipe: recipe.name)
def test_recipes_that_know_cost_predict_it_in_its_own_unit(recipe: Recipe) -> None:
    features, quality, cost = two_topics()
    recipe.fit(features, quality, cost, seed=1)
    predicted = recipe.predict(features[:3]).cost
    assert predicted is not None
    assert predicted == pytest.approx(cost[:3])


def test_the_label_is_the_first_right_model_in_the_order_of_the_candidate_file() -> None:
    quality = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert first_maximum(quality, [0, 1, 2]).tolist() == [0, 1, 0]
    assert first_maximum(quality, [2, 1, 0]).tolist() == [1, 2, 2]


def test_the_kindest_label_prefers_the_model_that_is_best_overall() -> None:
    quality = np.array([[1.0, 1.0], [0.0, 1.0]])
    assert best_overall_first(quality) == [1, 0]


def test_a_label_recipe_answers_what_its_classifier_answers() -> None:
    features, quality, cost = two_topics()
    random = np.random.default_rng(3)
    noisy = (quality + random.random(quality.shape) > 0.8).astype(float)
    for recipe in recipes([2, 1, 0])[:2]:  # the network's answer is its highest score by construction
        recipe.fit(features, noisy, cost, seed=1)
        expected = recipe.classifier(1).fit(features, first_maximum(noisy, [2, 1, 0])).predict(features)
        chosen = metrics.choose(recipe.predict(features).quality, cost)
        assert np.mean(chosen == expected) > 0.99, recipe.name


def test_a_pair_is_the_better_model_and_the_other_with_ties_counted_half() -> None:
    pair = Pair.of(np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    assert (pair.strong, pair.weak, pair.won.tolist()) == (1, 0, [1.0, 0.5, 0.0, 1.0])


def test_a_pair_of_three_is_refused() -> None:
    with pytest.raises(ValueError, match="between two models, not 3"):
        Pair.of(np.zeros((2, 3)))


@pytest.mark.parametrize("recipe", [PairFactors(), PairSimilarity()], ids=lambda recipe: recipe.name)
def test_a_pair_recipe_prefers_the_strong_model_where_the_weak_one_fails(recipe: Recipe) -> None:
    features, quality, cost = two_topics()
    quality = np.column_stack([quality[:, 0], np.maximum(quality[:, 1], quality[:, 0] * 0.9)])  # 1 is better overall
    recipe.fit(features[:150], quality[:150], cost[:150, :2], seed=1)
    scores = recipe.predict(features[150:]).quality
    preference = scores[:, 1] - scores[:, 0]
    strong_wins = quality[150:, 1] > quality[150:, 0]
    assert preference[strong_wins].min() > preference[~strong_wins].max()


def test_factors_of_a_pair_with_one_winner_send_everything_there() -> None:
    features, quality, cost = two_topics()
    recipe = PairFactors()
    recipe.fit(features, np.column_stack([quality[:, 0], np.ones(len(quality))]), cost[:, :2], seed=1)
    assert (recipe.predict(features).quality.argmax(axis=1) == 1).all()


def test_the_similarity_weighted_win_rate_is_the_bradley_terry_maximum_likelihood() -> None:
    features, quality, _ = two_topics(40)
    recipe = PairSimilarity()
    recipe.fit(features, quality[:, :2], quality[:, :2], seed=1)
    rate = (recipe.predict(features[:1]).quality[0, 0]).item()
    cosine = features.astype(float) @ features[0].astype(float)
    weight = 10 ** (1 + cosine / cosine.max())
    won = Pair.of(quality[:, :2]).won
    candidates = np.linspace(0.001, 0.999, 999)
    likelihood = [np.sum(weight * (won * np.log(p) + (1 - won) * np.log(1 - p))) for p in candidates]
    assert rate == pytest.approx(candidates[int(np.argmax(likelihood))], abs=1e-3)


def test_the_lent_cost_is_a_line_in_the_length_of_the_prompt_and_never_below_what_was_seen() -> None:
    tokens = np.array([10.0, 20.0, 40.0])
    lent = LentCost.learn(tokens, np.column_stack([2 + 3 * tokens, 5 * tokens]))
    assert lent(np.array([30.0])) == pytest.approx(np.array([[92.0, 150.0]]))
    assert lent(np.array([0.0])) == pytest.approx(np.array([[32.0, 50.0]]))


def test_text_features_are_unit_vectors_and_ignore_case() -> None:
    texts = ["the cat sat on the mat", "solve x + 1 = 2 for x", "write a function that sorts a list", "the dog sat"]
    features = TextFeatures().fit(texts, seed=1)
    vectors = features.transform([*texts, texts[0].upper()])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[4], abs=1e-6)


@pytest.mark.parametrize("name", NOISES)
def test_noise_changes_the_text_a_little_and_repeats_under_its_seed(name: str) -> None:
    text = "Which of these reduces the need for people to use nonrenewable resources?"
    disturbed = NOISES[name](text, Random(4))
    assert disturbed != text
    assert disturbed == NOISES[name](text, Random(4))
    assert abs(len(disturbed.split()) - len(text.split())) <= 1
    if name != "typing errors":
        assert disturbed.lower().split() == text.lower().split()


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("text", ["", "7", "a", "2 + 2"])
def test_noise_survives_texts_without_words(name: str, text: str) -> None:
    assert " ".join(NOISES[name](text, Random(1)).lower().split()) == text

"""The bandit finds good models and what each is good at, says how likely its choice was, and repeats under a seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.features.surface import NAMES
from routeiq_routing_ml.serving.bandit import Bandit, Choice

MODELS = ("small", "medium", "large")
CODE = "def f(x):\n    return x + 1\nWhy does this function import nothing and return {0}?"
TALK = "Tell me a story about a walk by the river on day {0}, with a friend and a dog."


def make(seed: int | None = 1, floor: float = 0.01, dimensions: int = 16) -> Bandit:
    return Bandit(MODELS, dimensions, seed=seed, floor=floor)


def play(bandit: Bandit, rounds: int, random: np.random.Generator) -> list[tuple[str, Choice]]:
    """Answers: `large` is good at code, `medium` at talk, `small` at neither."""
    good = {"code": (0.2, 0.4, 0.9), "talk": (0.2, 0.9, 0.4)}
    played = []
    for number in range(rounds):
        kind, text = ("code", CODE) if number % 2 else ("talk", TALK)
        context = bandit.context(text.format(number))
        choice = bandit.choose(context)
        bandit.learn(context, choice.index, float(random.random() < good[kind][choice.index]))
        played.append((kind, choice))
    return played


def test_it_learns_from_its_own_choices_which_model_is_good_at_what() -> None:
    played = play(make(), 1500, np.random.default_rng(3))[-300:]
    right = sum({"code": 2, "talk": 1}[kind] == choice.index for kind, choice in played)
    assert right > 0.8 * len(played)


def test_equal_seeds_and_histories_give_equal_choices_and_other_seeds_do_not() -> None:
    def run(seed: int | None) -> list[int]:
        return [choice.index for _, choice in play(make(seed), 60, np.random.default_rng(3))]

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_contexts_are_alike_in_every_process_whatever_the_seed() -> None:
    one, other = make(1).context(CODE), make(None).context(CODE)
    assert (one == other).all()
    assert one.shape == (16 + len(NAMES) + 1,)
    assert (make().context(CODE.upper())[:16] == one[:16]).all()  # case is no other topic


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(max_size=60),
    floor=st.sampled_from([0.01, 0.2, 1.0]),
    candidates=st.sets(st.integers(0, 2), min_size=1),
    penalty=st.lists(st.floats(0, 5), min_size=3, max_size=3),
)
def test_a_choice_is_a_candidate_and_its_propensity_at_least_its_share_of_the_floor(
    text: str, floor: float, candidates: set[int], penalty: list[float]
) -> None:
    bandit = make(floor=floor)
    choice = bandit.choose(bandit.context(text), np.array(penalty), sorted(candidates))
    assert choice.index in candidates
    assert floor / len(candidates) <= choice.propensity <= 1 + 1e-12
    assert choice.mean.shape == choice.sampled.shape == choice.spread.shape == (3,)
    if len(candidates) == 1:
        assert choice.propensity == pytest.approx(1.0)


def test_weights_by_propensity_count_every_model_once() -> None:
    bandit = make(seed=11, floor=0.05)
    play(bandit, 100, np.random.default_rng(4))
    context = bandit.context(TALK.format("x"))
    rounds = 6000
    weighed = [0.0, 0.0, 0.0]
    for _ in range(rounds):
        choice = bandit.choose(context)
        weighed[choice.index] += 1 / choice.propensity
    # E[1{chosen = a} / propensity] is 1 for every model that can be chosen: this is what makes logs unbiased
    shares = [weight / rounds for weight in weighed]
    assert shares == pytest.approx([1, 1, 1], abs=0.15)


def test_propensities_are_the_frequencies_of_choices() -> None:
    bandit = make(seed=12)
    play(bandit, 8, np.random.default_rng(4))
    context = bandit.context(CODE.format("x"))
    choices = [bandit.choose(context) for _ in range(3000)]
    often = [model for model, times in Counter(choice.index for choice in choices).items() if times > 100]
    assert len(often) >= 2
    for model in often:
        told = [choice.propensity for choice in choices if choice.index == model]
        assert np.mean(told) == pytest.approx(len(told) / len(choices), abs=0.05)


def test_cost_turns_the_choice_where_qualities_are_near() -> None:
    bandit = make(floor=0.01)
    context = bandit.context(TALK)
    cheap = [bandit.choose(context, np.array([0.0, 9.0, 9.0])).index for _ in range(200)]
    assert cheap.count(0) > 190


def test_a_restart_goes_on_with_the_models_that_are_still_there() -> None:
    bandit = make()
    play(bandit, 200, np.random.default_rng(3))
    context = bandit.context(CODE.format(1))
    same = make()
    assert same.restore(bandit.state())
    assert same.outcomes == 200
    np.testing.assert_allclose(same.choose(context).mean, bandit.choose(context).mean, atol=0.01)

    changed = Bandit(("large", "new"), 16, seed=1)
    assert changed.restore(bandit.state())
    large, new = changed.choose(context).mean
    assert large == pytest.approx(bandit.choose(context).mean[2], abs=0.01)
    assert new == 0.5


def test_contexts_of_another_size_start_anew() -> None:
    bandit = make()
    assert not make(dimensions=8).restore(bandit.state())
    with pytest.raises(ValueError, match="header"):
        bandit.restore(b"nothing")


@pytest.mark.parametrize(
    ("index", "score", "message"),
    [(3, 0.5, "no model 3"), (-1, 0.5, "no model -1"), (0, 1.1, "score"), (0, float("nan"), "score")],
)
def test_what_cannot_be_is_not_learned(index: int, score: float, message: str) -> None:
    bandit = make()
    with pytest.raises(ValueError, match=message):
        bandit.learn(bandit.context("x"), index, score)
    with pytest.raises(ValueError, match="context"):
        bandit.learn([0.0, 1.0], 0, 0.5)
    assert bandit.outcomes == 0


def test_a_context_kept_in_half_precision_can_be_learned_from() -> None:
    bandit = make()
    bandit.learn(bandit.context(CODE).astype(np.float16).astype(float).tolist(), 0, 1.0)
    assert bandit.outcomes == 1


def test_candidates_that_are_no_models_are_refused() -> None:
    bandit = make()
    for candidates in ([], [3], [-1]):
        with pytest.raises(ValueError, match="candidates"):
            bandit.choose(bandit.context("x"), None, candidates)

"""Values told from a log are near the truth, their intervals hold it, and a log that says too little is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.training.offpolicy import (
    Estimate,
    Log,
    TooFewEffective,
    doubly_robust,
    effective,
    snips,
    weights,
)

MODELS = 4


@dataclass(frozen=True)
class Trial:
    """A log of an exploring policy, another policy's choices, and what these are truly worth."""

    log: Log
    choice: NDArray[np.intp]
    quality: Floats
    truth: float


def trial(seed: int, n: int = 3000, epsilon: float = 0.3) -> Trial:
    """The logged policy prefers model 0; the other one calls the best model. The rewards are right or wrong."""
    random = np.random.default_rng(seed)
    quality = np.clip(np.array([0.5, 0.4, 0.6, 0.3]) + random.normal(0, 0.2, (n, MODELS)), 0.02, 0.98)
    favourite = np.where(random.random(n) < 0.7, 0, quality.argmax(axis=1))
    odds = np.full((n, MODELS), epsilon / MODELS)
    odds[np.arange(n), favourite] += 1 - epsilon
    chosen = (odds.cumsum(axis=1) > random.random((n, 1))).argmax(axis=1)
    reward = (random.random(n) < quality[np.arange(n), chosen]).astype(float)
    choice = quality.argmax(axis=1)
    log = Log(odds[np.arange(n), chosen], chosen, reward)
    return Trial(log, choice, quality, float(quality.max(axis=1).mean()))


def agreeing_only(found: Trial) -> float:
    return float(found.log.reward[found.choice == found.log.chosen].mean())


def rough(found: Trial) -> Floats:
    """A reward model that is wrong: half of every difference, and 0.1 too high."""
    return 0.35 + 0.5 * found.quality


@pytest.mark.parametrize("method", ["snips", "doubly_robust"])
def test_values_are_near_the_truth_and_ninety_five_per_cent_intervals_hold_it(method: str) -> None:
    errors, held = [], 0
    for seed in range(60):
        found = trial(seed)
        if method == "snips":
            told = snips(found.log, found.choice, draws=200)
        else:
            told = doubly_robust(found.log, found.choice, rough(found), draws=200)
        errors.append(told.value - found.truth)
        held += told.low <= found.truth <= told.high
    assert abs(np.mean(errors)) < 0.008
    assert np.std(errors) < 0.04
    assert 52 <= held <= 60


def test_a_good_reward_model_narrows_the_interval() -> None:
    found = trial(3)
    plain = snips(found.log, found.choice)
    helped = doubly_robust(found.log, found.choice, found.quality)
    assert helped.high - helped.low < plain.high - plain.low
    assert abs(helped.value - found.truth) < 0.05


def test_doubly_robust_stands_wrong_propensities_when_the_reward_model_is_right() -> None:
    random = np.random.default_rng(1)
    errors = []
    for seed in range(20):
        found = trial(seed)
        wrong = Log(
            np.clip(found.log.propensity * random.uniform(0.5, 1.5), 0.01, 1), found.log.chosen, found.log.reward
        )
        errors.append(doubly_robust(wrong, found.choice, found.quality, draws=1).value - found.truth)
    assert abs(np.mean(errors)) < 0.01


def test_the_policy_that_ran_is_worth_what_it_earned() -> None:
    n = 400
    reward = np.random.default_rng(2).random(n)
    log = Log(np.ones(n), np.zeros(n, np.intp), reward)
    told = snips(log, np.zeros(n, np.intp))
    assert told.value == pytest.approx(reward.mean())
    assert told.effective == pytest.approx(n)
    assert told.agreeing == 1
    assert told.low < reward.mean() < told.high


def test_where_they_agree_is_not_the_answer() -> None:
    """The policies agree most where the logged one was lucky, so the plain mean there is biased; SNIPS is not."""
    random = np.random.default_rng(5)
    n = 20_000
    easy = random.random(n) < 0.5
    quality = np.where(easy, 0.9, 0.3)
    odds = np.where(easy, 0.9, 0.1)
    agrees = random.random(n) < odds
    reward = (random.random(n) < quality).astype(float)
    log = Log(np.where(agrees, odds, 1 - odds), np.where(agrees, 1, 0), reward)
    choice = np.ones(n, np.intp)
    assert reward[agrees].mean() > 0.8
    assert snips(log, choice).value == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("method", ["snips", "doubly_robust"])
def test_a_log_that_says_too_little_is_refused_with_figure_and_mend(method: str) -> None:
    found = trial(1, n=200, epsilon=0.05)

    def value(choice: NDArray[np.intp], floor: float) -> Estimate:
        if method == "snips":
            return snips(found.log, choice, floor=floor)
        return doubly_robust(found.log, choice, found.quality, floor=floor)

    with pytest.raises(TooFewEffective, match=r"at least 190 .* Mend: ") as caught:
        value(found.choice, 190)
    assert 0 < caught.value.effective < 190
    assert caught.value.floor == 190
    never = (found.log.chosen + 1) % MODELS
    with pytest.raises(TooFewEffective, match="sample of 0 decisions"):
        value(never, 0)


@settings(max_examples=60)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=50), st.data())
def test_the_effective_size_lies_between_one_and_the_agreeing_decisions(
    propensities: list[float], data: st.DataObject
) -> None:
    n = len(propensities)
    chosen = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    choice = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    found = weights(Log(np.array(propensities), chosen, np.zeros(n)), choice)
    agreeing = int((chosen == choice).sum())
    assert (found > 0).sum() == agreeing
    assert min(agreeing, 1) - 1e-9 <= effective(found) <= agreeing + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_snips_stays_within_the_rewards_and_repeats_under_its_seed(seed: int) -> None:
    found = trial(seed, n=60)
    told = snips(found.log, found.choice, floor=1, draws=50)
    assert 0 <= told.low <= told.high <= 1
    assert 0 <= told.value <= 1
    assert snips(found.log, found.choice, floor=1, draws=50) == told


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    ones, zeros = np.ones(3), np.zeros(3, np.intp)
    for propensity, chosen, reward in (
        (np.ones(2), zeros, ones),
        (np.zeros(3), zeros, ones),
        (np.full(3, 1.1), zeros, ones),
        (ones, zeros, np.full(3, np.nan)),
        (ones, np.full(3, -1), ones),
        (ones, np.zeros(3), ones),
        (np.ones(0), np.zeros(0, np.intp), np.ones(0)),
    ):
        with pytest.raises(ValueError):
            Log(propensity, chosen, reward)  # type: ignore[arg-type]
    log = Log(ones, zeros, ones)
    with pytest.raises(ValueError, match="choices of shape"):
        weights(log, np.zeros(2, np.intp))
    with pytest.raises(ValueError, match="estimates of shape"):
        doubly_robust(log, zeros, np.ones((2, 4)), floor=1)
    with pytest.raises(ValueError, match="beyond the 1 models"):
        doubly_robust(log, np.ones(3, np.intp), np.ones((3, 1)), floor=1)

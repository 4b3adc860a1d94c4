"""The policy weighs quality against cost: the margins hold, more weight never costs more, ties go to the cheaper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.model.policy import Policy, Prediction, cheapest_best


def predicted(quality: Any, cost: Any = None, uncertainty: float = 0.0, new: bool = False) -> Prediction:
    """Of one prompt."""
    q = np.atleast_2d(np.asarray(quality, float))
    c = np.ones_like(q) if cost is None else np.atleast_2d(np.asarray(cost, float))
    return Prediction(q, c, np.full_like(q, uncertainty), np.full(len(q), new))


def choice(policy: Policy, prediction: Prediction, default: int | None) -> int:
    return int(policy.choose(prediction, default)[0])


@pytest.mark.parametrize(("gain", "chosen"), [(0.04, 0), (0.06, 1), (-0.5, 0), (0.4, 1)])
def test_without_a_weight_a_choice_must_beat_the_default_by_the_margin(gain: float, chosen: int) -> None:
    assert choice(Policy(margin=0.05), predicted([0.5, 0.5 + gain]), default=0) == chosen


@pytest.mark.parametrize(("gain", "chosen"), [(0.06, 0), (0.09, 0), (0.11, 1)])
def test_on_a_prompt_of_a_new_kind_it_must_beat_it_by_more(gain: float, chosen: int) -> None:
    prediction = predicted([0.5, 0.5 + gain], new=True)
    assert choice(Policy(margin=0.05, new_margin=0.05), prediction, default=0) == chosen


def test_without_a_default_nothing_is_held_back() -> None:
    prediction = predicted([0.5, 0.501], new=True)
    assert choice(Policy(), prediction, None) == 1
    assert choice(Policy(), prediction, 0) == 0


def test_with_a_weight_only_the_cautious_hold_to_the_margin() -> None:
    prediction = predicted([0.6, 0.59], [2.0, 1.0])
    assert choice(Policy(weight=0.02), prediction, 0) == 1
    assert choice(Policy(weight=0.02, cautious=True), prediction, 0) == 0
    new = predicted([0.6, 0.59], [2.0, 1.0], new=True)
    assert choice(Policy(weight=0.02), new, 0) == 0


def test_new_and_familiar_prompts_of_one_batch_are_each_held_to_their_own_margin() -> None:
    prediction = predicted([[0.5, 0.58], [0.5, 0.58]])
    mixed = Prediction(prediction.quality, prediction.cost, prediction.uncertainty, np.array([False, True]))
    np.testing.assert_array_equal(Policy(margin=0.05, new_margin=0.05).choose(mixed, 0), [1, 0])


GRID = st.integers(0, 64).map(lambda number: number / 64)
POOLS = st.integers(2, 6).flatmap(
    lambda m: st.tuples(st.lists(GRID, min_size=m, max_size=m), st.lists(GRID, min_size=m, max_size=m))
)


@settings(max_examples=200, deadline=None)
@given(
    pool=POOLS,
    weights=st.tuples(st.integers(0, 400), st.integers(0, 400)),
    default=st.one_of(st.none(), st.integers(0, 1)),
    new=st.booleans(),
    cautious=st.booleans(),
)
def test_more_weight_of_cost_never_makes_the_choice_dearer(
    pool: tuple[list[float], list[float]], weights: tuple[int, int], default: int | None, new: bool, cautious: bool
) -> None:
    quality, cost = pool
    low, high = sorted(weight / 4 for weight in weights)
    if not cautious:  # the margin of the weight 0 is let go of at the first weight above it
        low, high = low + 0.25, high + 0.25
    prediction = predicted(quality, cost, new=new)
    less, more = (
        choice(Policy(weight=weight, margin=1 / 16, new_margin=1 / 16, cautious=cautious), prediction, default)
        for weight in (low, high)
    )
    assert cost[more] <= cost[less]


@settings(max_examples=100, deadline=None)
@given(pool=POOLS)
def test_a_choice_is_never_worse_and_dearer_than_another(pool: tuple[list[float], list[float]]) -> None:
    quality, cost = pool
    for policy in (Policy(), Policy(weight=0.5), Policy(floor=True)):
        chosen = choice(policy, predicted(quality, cost), None)
        assert not any(quality[other] > quality[chosen] and cost[other] < cost[chosen] for other in range(len(quality)))


def test_equals_go_to_the_cheaper_model() -> None:
    assert choice(Policy(), predicted([0.5, 0.5, 0.5], [3, 1, 2]), None) == 1
    assert cheapest_best(np.array([[1.0, 1.0 - 1e-13, 0.5]]), np.array([[2.0, 1.0, 0.1]]))[0] == 1


@settings(max_examples=200, deadline=None)
@given(pool=POOLS, tolerance=GRID, doubt=GRID)
def test_the_floor_takes_the_cheapest_that_is_surely_good_enough(
    pool: tuple[list[float], list[float]], tolerance: float, doubt: float
) -> None:
    quality, cost = pool
    policy = Policy(floor=True, tolerance=tolerance, weight=99)
    chosen = choice(policy, predicted(quality, cost, uncertainty=doubt), default=0)
    good = [i for i, q in enumerate(quality) if q - doubt >= max(quality) - tolerance or q == max(quality)]
    assert chosen in good
    assert cost[chosen] == min(cost[i] for i in good)


def test_the_floor_ranks_all_that_are_good_enough_before_all_others() -> None:
    prediction = predicted([0.9, 0.89, 0.5, 0.7], [9.0, 1.0, 0.1, 0.5])
    utility = Policy(floor=True, tolerance=0.02).utility(prediction, None)[0]
    assert list(np.argsort(-utility)) == [1, 0, 3, 2]


@pytest.mark.parametrize("cost", [[0, 0, 0], [1e-12, 1e-12, 1e-12]])
def test_free_models_do_not_upset_the_floor(cost: list[float]) -> None:
    assert choice(Policy(floor=True), predicted([0.1, 0.9, 0.5], cost), None) == 1


def test_ranking_leaves_the_prediction_as_it_was() -> None:
    prediction = predicted([0.5, 0.6], [1, 2], new=True)
    for policy in (Policy(), Policy(weight=1, cautious=True), Policy(floor=True)):
        policy.choose(prediction, 0)
    np.testing.assert_array_equal(prediction.quality, [[0.5, 0.6]])
    np.testing.assert_array_equal(prediction.cost, [[1, 2]])

"""Calibrated scores mean what they say, keep the order of prompts, and say no more than is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.model.calibration import Calibration, reliability

ROWS = 2000


def chances(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True chances (n, m), and outcomes drawn with them."""
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.1, 0.9, (ROWS, 3))
    return chance, (rng.random(chance.shape) < chance).astype(float)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p: 0.5 + 2.0 * (p - 0.5),  # too sure
        lambda p: 0.5 + 0.7 * (p - 0.5),  # too timid
        lambda p: p + 0.25,
        lambda p: p * [1.0, 0.6, 1.4] - [0.2, 0, 0.1],
    ],
)
def test_wrong_scores_come_nearer_to_the_truth_on_other_prompts(wrong: object) -> None:
    assert callable(wrong)
    chance, outcome = chances()
    fitted = Calibration.fit(wrong(chance), outcome)
    fresh, truth = chances(1)
    before = reliability(np.clip(wrong(fresh), 0, 1), truth)[1]
    after = reliability(fitted.apply(wrong(fresh)), truth)[1]
    assert after < 0.5 * before
    assert after < 0.03


def test_right_scores_are_left_nearly_alone() -> None:
    chance, outcome = chances()
    fitted = Calibration.fit(chance, outcome)
    np.testing.assert_allclose(fitted.slope, 1, atol=0.08)
    np.testing.assert_allclose(fitted.intercept, 0, atol=0.06)


def test_a_scorer_that_knows_models_only_keeps_their_means_and_gets_no_slope() -> None:
    _, outcome = chances()
    scores = np.tile([0.2, 0.5, 0.9], (ROWS, 1))
    fitted = Calibration.fit(scores, outcome)
    np.testing.assert_array_equal(fitted.slope, 0)
    np.testing.assert_allclose(fitted.apply(scores)[0], outcome.mean(axis=0))


def test_one_constant_column_leaves_the_others_their_slopes() -> None:
    chance, outcome = chances()
    scores = chance.copy()
    scores[:, 1] = 0.4
    fitted = Calibration.fit(scores, outcome)
    assert fitted.slope[1] == 0
    assert (fitted.slope[[0, 2]] > 0.8).all()


def test_scores_that_contradict_the_outcomes_are_flattened_never_turned_round() -> None:
    chance, outcome = chances()
    fitted = Calibration.fit(1 - chance, outcome)
    assert (fitted.slope >= 0).all()
    assert (fitted.slope < 0.1).all()


def test_few_rows_hardly_move_the_slope() -> None:
    chance, outcome = chances()
    few = Calibration.fit(chance[:20], 1 - outcome[:20])
    assert (few.slope > 0.5).all()


@settings(max_examples=50, deadline=None)
@given(slope=st.floats(0, 1.5), intercept=st.floats(-1, 1), scores=st.lists(st.floats(-2, 3), min_size=2, max_size=8))
def test_calibration_keeps_the_order_and_stays_within_bounds(
    slope: float, intercept: float, scores: list[float]
) -> None:
    found = Calibration(np.array([slope]), np.array([intercept])).apply(np.sort(np.array(scores))[:, None])[:, 0]
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_the_error_is_the_mean_distance_in_bins_of_like_size() -> None:
    predicted, actual = np.array([[0.1, 0.1, 0.9, 0.9]]).T, np.array([[0.0, 0.0, 1.0, 0.0]]).T
    bins, error = reliability(predicted, actual, bins=2)
    assert bins == [(pytest.approx(0.1), 0.0, 2), (pytest.approx(0.9), 0.5, 2)]
    assert error == pytest.approx((0.1 + 0.4) / 2)


@pytest.mark.parametrize(
    ("slope", "intercept"),
    [(np.zeros(3), np.zeros(2)), (np.zeros((3, 3)), np.zeros((3, 3))), (np.zeros(3), np.zeros(())), ("abc", "abc")],
)
def test_arrays_that_do_not_fit_together_are_refused(slope: object, intercept: object) -> None:
    arrays = {"calibration.slope": np.asarray(slope), "calibration.intercept": np.asarray(intercept)}
    with pytest.raises(ValueError):
        Calibration.from_arrays(arrays)

"""The figures a router is judged by: worked examples, and what must hold for any outcome.

Recorded tables are the benchmark's; every array here is written out or drawn.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from routeiq_routing_ml.training import metrics

QUALITY = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
COST = np.array([[1.0, 2.0, 4.0]] * 4)
"""Means: 0.25 at 1, 0.50 at 2, 0.50 at 4. The oracle takes models 1, 0, 2, 0: 0.75 at 2."""

tables = st.integers(1, 12).flatmap(
    lambda queries: st.integers(1, 5).flatmap(
        lambda models: st.tuples(
            arrays(np.float64, (queries, models), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])),
            arrays(np.float64, (queries, models), elements=st.floats(0.001, 10.0)),
        )
    )
)
clouds = st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 1)), min_size=1, max_size=12).map(np.array)


def test_the_highest_quality_wins_and_ties_go_to_the_cheaper_model() -> None:
    assert metrics.choose(QUALITY, COST).tolist() == [1, 0, 2, 0]


def test_a_tie_in_quality_and_cost_goes_to_the_first_in_the_pool() -> None:
    assert metrics.choose([[0.5, 0.5]], [[2.0, 2.0]]).tolist() == [0]


def test_the_weight_of_cost_is_quality_per_unit_of_cost() -> None:
    quality, cost = [[0.2, 0.8]], [[1.0, 3.0]]
    assert metrics.choose(quality, cost, 0.29).tolist() == [1]
    assert metrics.choose(quality, cost, 0.31).tolist() == [0]


@pytest.mark.parametrize("lam", [-0.1, float("inf"), float("nan")])
def test_a_weight_that_is_no_weight_is_refused(lam: float) -> None:
    with pytest.raises(ValueError, match="lam is"):
        metrics.choose(QUALITY, COST, lam)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 3\) and cost \(4, 2\)"):
        metrics.choose(QUALITY, COST[:, :2])


def test_a_curve_starts_at_lambda_zero_and_ends_at_the_cheapest_model() -> None:
    points = metrics.curve(QUALITY, COST, QUALITY, COST)
    assert points[0].tolist() == [2.0, 0.75]
    assert points[-1].tolist() == [1.0, 0.25]


def test_a_curve_is_scored_by_what_happened_not_by_what_was_predicted() -> None:
    predicted = np.tile([0.9, 0.1, 0.1], (4, 1))
    points = metrics.curve(predicted, COST * 7, QUALITY, COST, [0.0])
    assert points.tolist() == [[1.0, 0.25]]


@given(tables, st.integers(-20, 20))
def test_the_unit_of_cost_does_not_change_a_curve(table: tuple[metrics.Array, metrics.Array], exponent: int) -> None:
    quality, cost = table
    unit = 2.0**exponent  # a power of two scales without rounding
    here = metrics.curve(quality, cost, quality, cost)
    there = metrics.curve(quality, cost * unit, quality, cost * unit)
    assert (there == here * [unit, 1.0]).all()


def test_the_hull_keeps_what_mixing_reaches_and_drops_what_is_beaten() -> None:
    points = [(1, 0.2), (2, 0.3), (3, 0.8), (4, 0.7), (5, 0.9), (1, 0.1)]
    assert metrics.hull(points).tolist() == [[1, 0.2], [3, 0.8], [5, 0.9]]


@given(clouds)
def test_a_hull_rises_bends_down_and_lies_above_every_point(points: metrics.Array) -> None:
    corners = metrics.hull(points)
    steps = np.diff(corners, axis=0)
    assert (steps > 0).all()
    slopes = steps[:, 1] / steps[:, 0]
    assert (slopes[1:] <= slopes[:-1] * (1 + 1e-9)).all()
    assert (np.interp(points[:, 0], corners[:, 0], corners[:, 1]) >= points[:, 1] - 1e-9).all()
    assert {tuple(corner) for corner in corners} <= {tuple(point) for point in points}


def test_the_area_is_the_average_quality_over_the_costs() -> None:
    assert metrics.aiq([(0, 0.0), (1, 1.0)], 0, 1) == pytest.approx(0.5)
    assert metrics.aiq([(1, 0.4), (3, 0.8)], 1, 3) == pytest.approx(0.6)
    assert metrics.aiq([(1, 0.4), (3, 0.8)], 2, 3) == pytest.approx(0.7)


def test_beyond_its_dearest_point_a_router_keeps_its_quality() -> None:
    assert metrics.aiq([(0, 0.0), (1, 1.0)], 0, 2) == pytest.approx(0.75)
    assert metrics.aiq([(1, 0.6)], 2, 4) == pytest.approx(0.6)


def test_below_its_cheapest_point_a_router_has_no_quality() -> None:
    assert metrics.aiq([(2, 0.8)], 1, 3) == pytest.approx(0.4)
    assert metrics.aiq([(5, 0.8)], 1, 3) == pytest.approx(0.0)


@given(clouds, st.floats(0.01, 5), st.floats(0.01, 5))
def test_the_area_agrees_with_a_fine_sum(points: metrics.Array, low: float, width: float) -> None:
    corners = metrics.hull(points)
    costs = low + (np.arange(4000) + 0.5) * width / 4000
    heights = np.interp(costs, corners[:, 0], corners[:, 1], left=0.0)
    assert metrics.aiq(points, low, low + width) == pytest.approx(heights.mean(), abs=2e-3)


def test_the_zero_router_mixes_single_models() -> None:
    assert metrics.zero_router(QUALITY, COST).tolist() == [[1, 0.25], [2, 0.5]]


def test_the_zero_router_gains_nothing_over_itself() -> None:
    assert metrics.d_aiq(metrics.zero_router(QUALITY, COST), QUALITY, COST) == pytest.approx(0.0)


def test_what_is_saved_is_read_off_the_hull_at_the_quality_of_the_best_single_model() -> None:
    points = [(1, 0.4), (3, 0.8)]
    assert metrics.save(points, quality=0.6, cost=4) == pytest.approx(0.5)


@pytest.mark.parametrize("points", [[(1, 0.4), (3, 0.5)], [(5, 0.7)]], ids=["never reached", "reached at more cost"])
def test_a_router_that_does_not_reach_the_quality_for_less_saves_nothing(points: list[tuple[float, float]]) -> None:
    assert metrics.save(points, quality=0.6, cost=4) == 0.0


def test_the_best_single_model_is_the_cheaper_of_two_equals() -> None:
    assert metrics.best_single(QUALITY, COST) == 1


def test_the_gap_is_zero_at_the_best_single_model_one_at_the_oracle_and_negative_below() -> None:
    assert metrics.gap(0.6, 0.6, 0.8) == 0.0
    assert metrics.gap(0.8, 0.6, 0.8) == pytest.approx(1.0)
    assert metrics.gap(0.5, 0.6, 0.8) == pytest.approx(-0.5)


def test_where_nothing_can_be_gained_the_gap_is_zero() -> None:
    assert metrics.gap(0.5, 0.6, 0.6) == 0.0


@given(tables)
@example((np.full((8, 2), 0.25), np.full((8, 2), 2.7067746)))
def test_no_router_beats_the_oracle(table: tuple[metrics.Array, metrics.Array]) -> None:
    quality, cost = table
    best = metrics.best_single(quality, cost)
    result = metrics.outcome(metrics.curve(quality, cost, quality, cost), quality, cost, best)
    assert result.quality == pytest.approx(quality.max(axis=1).mean())
    assert result.gap in (0.0, pytest.approx(1.0))
    assert result.d_aiq >= -1e-9
    assert 0.0 <= result.save <= 1.0
    anyone = metrics.outcome(metrics.curve(1 - quality, cost, quality, cost), quality, cost, best)
    assert anyone.quality <= result.quality + 1e-9
    assert anyone.d_aiq <= result.d_aiq + 1e-9


def test_an_outcome_has_the_names_that_reports_use() -> None:
    points = metrics.curve(QUALITY, COST, QUALITY, COST)
    document = json.loads(json.dumps(asdict(metrics.outcome(points, QUALITY, COST, best=1))))
    assert list(document) == ["quality", "cost", "best_single", "oracle", "gap", "d_aiq", "save"]
    assert document["quality"] == 0.75
    assert document["best_single"] == 0.5
    assert document["gap"] == 1.0
    assert document["save"] == pytest.approx(1 - 1.25 / 2)  # one dearer call of four, 1.25 instead of 2


WEAK = np.array([0.0, 0.0, 1.0, 1.0])
STRONG = np.array([1.0, 1.0, 1.0, 1.0])


def test_a_pair_router_that_knows_recovers_the_gap_with_the_calls_it_takes() -> None:
    knows = STRONG - WEAK
    assert metrics.pgr(knows, WEAK, STRONG, 0.5) == pytest.approx(1.0)
    assert metrics.pgr(knows, WEAK, STRONG, 0.25) == pytest.approx(0.5)
    assert metrics.apgr(knows, WEAK, STRONG) == pytest.approx(0.75)
    assert metrics.cpt(knows, WEAK, STRONG, 0.5) == pytest.approx(0.25)
    assert metrics.cpt(knows, WEAK, STRONG, 1.0) == pytest.approx(0.5)


def test_a_pair_router_that_knows_nothing_is_a_coin() -> None:
    nothing = np.zeros(4)
    assert metrics.apgr(nothing, WEAK, STRONG) == pytest.approx(0.5)
    assert metrics.pgr(nothing, WEAK, STRONG, 0.3) == pytest.approx(0.3)
    assert metrics.cpt(nothing, WEAK, STRONG, 0.8) == pytest.approx(0.8)


def test_equal_preferences_count_as_the_mean_over_their_orders() -> None:
    rng = np.random.default_rng(7)
    weak, strong = rng.integers(0, 2, 40).astype(float), np.ones(40)
    preference = rng.integers(0, 3, 40).astype(float)
    shuffled = [metrics.apgr(preference + rng.random(40) * 1e-3, weak, strong) for _ in range(4000)]
    assert metrics.apgr(preference, weak, strong) == pytest.approx(np.mean(shuffled), abs=0.01)


def test_a_share_that_never_recovers_enough_needs_every_call() -> None:
    assert metrics.cpt(STRONG - WEAK, WEAK, STRONG, 1.01) == 1.0
    assert metrics.cpt(STRONG - WEAK, WEAK, STRONG, 0.0) == 0.0


def test_a_pair_without_a_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="no gap to recover"):
        metrics.apgr([0.1, 0.2], [1.0, 0.0], [0.0, 1.0])


def test_robustness_is_the_share_of_decisions_that_stay() -> None:
    assert metrics.unchanged([0, 1, 2, 2], [0, 1, 1, 2]) == 0.75

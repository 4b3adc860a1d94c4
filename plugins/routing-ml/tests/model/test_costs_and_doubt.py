"""Expected costs follow a prompt's length and kind and are never below zero; doubt grows where nothing was learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.model.costs import Costs, estimated_tokens
from routeiq_routing_ml.model.doubt import DIRECTIONS, Doubt, directions

from ..scorers.lessons import points

POINTS, KINDS = points(400)
RNG = np.random.default_rng(0)
TOKENS = RNG.uniform(20, 400, 400) * (1 + KINDS)
RATES = np.array([1e-7, 5e-7, 2e-6])
OUT = np.tile([100.0, 200.0, 300.0], (400, 1)) * (1 + KINDS[:, None])
COST = RATES * (TOKENS[:, None] + 4 * OUT)


@pytest.fixture(scope="module")
def costs() -> Costs:
    return Costs.fit(POINTS, COST, TOKENS, OUT, seed=0)


def test_costs_of_prompts_of_usual_length_are_near_the_truth(costs: Costs) -> None:
    told = costs.expected(costs.votes(POINTS), TOKENS)
    assert told.shape == COST.shape
    assert np.median(np.abs(told - COST) / COST) < 0.1
    np.testing.assert_allclose(told.mean(axis=0), COST.mean(axis=0), rtol=0.05)


def test_each_further_token_costs_what_it_cost_in_training(costs: Costs) -> None:
    votes = costs.votes(POINTS[:20])
    longer = costs.expected(votes, TOKENS[:20] + 1000) - costs.expected(votes, TOKENS[:20])
    np.testing.assert_allclose(longer, np.tile(1000 * RATES, (20, 1)), rtol=0.2)


@settings(max_examples=60, deadline=None)
@given(tokens=st.floats(0, 1e6), more=st.floats(0, 1e6))
def test_costs_are_positive_and_never_fall_with_length(costs: Costs, tokens: float, more: float) -> None:
    votes = costs.votes(POINTS[:1])
    short, long = (costs.expected(votes, np.array([length])) for length in (tokens, tokens + more))
    assert (short > 0).all()
    assert (long >= short - 1e-15).all()


def test_no_estimate_falls_below_a_twentieth_of_what_is_usual(costs: Costs) -> None:
    votes = costs.votes(POINTS[:9])
    steep = replace(costs, slope=costs.slope * 100)
    usual = votes @ costs.dollars.astype(float)
    np.testing.assert_allclose(steep.expected(votes, np.zeros(9)), 0.05 * usual)


def test_answers_to_dear_kinds_of_prompt_are_expected_to_be_longer(costs: Costs) -> None:
    assert costs.knows_answers
    told = costs.answer_tokens(costs.votes(POINTS))
    assert told.shape == OUT.shape
    np.testing.assert_allclose(told, OUT, rtol=0.35)
    assert not Costs.fit(POINTS, COST, TOKENS, None, seed=0).knows_answers


def test_prompts_of_one_length_give_no_slope_and_no_division_by_zero() -> None:
    flat = Costs.fit(POINTS, COST, np.full(400, 50.0), None, seed=0)
    assert np.isfinite(flat.slope).all()
    assert np.isfinite(flat.expected(flat.votes(POINTS[:3]), np.array([0.0, 50, 1e6]))).all()


def test_free_models_cost_nothing() -> None:
    free = Costs.fit(POINTS, COST * 0, TOKENS, OUT, seed=0)
    np.testing.assert_array_equal(free.expected(free.votes(POINTS[:3]), TOKENS[:3]), 0)


@pytest.mark.parametrize("with_answers", [True, False])
def test_costs_come_back_from_their_arrays(costs: Costs, with_answers: bool) -> None:
    mine = costs if with_answers else Costs.fit(POINTS, COST, TOKENS, None, seed=0)
    again = Costs.from_arrays(mine.arrays())
    np.testing.assert_allclose(
        again.expected(again.votes(POINTS), TOKENS), mine.expected(mine.votes(POINTS), TOKENS), rtol=0.02
    )
    assert again.knows_answers == with_answers


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("centers", np.zeros(10)),
        ("centers", np.zeros((99, 24))),
        ("dollars", np.zeros(10)),
        ("dollars", np.full((10, 3), -1.0)),
        ("tokens_in", np.zeros((10, 2))),
        ("tokens_in", np.full(10, -5.0)),
        ("slope", np.zeros(4)),
        ("slope", np.full(3, -1e-6)),
        ("tokens_out", np.zeros((10, 4))),
        ("tokens_out", np.full((10, 3), -1.0)),
    ],
)
def test_costs_that_cannot_be_are_refused(costs: Costs, name: str, broken: np.ndarray) -> None:
    assert len(costs.centers) == 10
    with pytest.raises(ValueError):
        Costs.from_arrays({**costs.arrays(), f"costs.{name}": broken})


def test_no_cluster_at_all_is_refused(costs: Costs) -> None:
    arrays = {name: array if name == "costs.slope" else array[:0] for name, array in costs.arrays().items()}
    with pytest.raises(ValueError, match="without a cluster"):
        Costs.from_arrays(arrays)


def test_four_characters_are_about_a_token() -> None:
    assert estimated_tokens(400) == 100
    assert estimated_tokens(0) == 0


@pytest.fixture(scope="module")
def doubt(costs: Costs) -> Doubt:
    errors = RNG.normal(scale=[0.1, 0.2, 0.4], size=(400, 3))
    return Doubt.fit(POINTS, errors, POINTS.z @ costs.centers.T)


def along(direction: int) -> Points:
    z = np.zeros((1, POINTS.z.shape[1]), np.float32)
    z[0, direction] = 1
    return Points(z, np.zeros((1, 11), np.float32))


def test_doubt_grows_off_the_directions_of_the_training_prompts(doubt: Doubt) -> None:
    on, off = doubt.uncertainty(along(0)), doubt.uncertainty(along(20))
    assert (off > 2 * on).all()


def test_doubt_is_in_proportion_to_each_models_errors(doubt: Doubt) -> None:
    told = doubt.uncertainty(POINTS[:5])
    assert told.shape == (5, 3)
    np.testing.assert_allclose(told[:, 2] / told[:, 0], doubt.noise[2] / doubt.noise[0])
    assert doubt.noise[2] == pytest.approx(0.4, abs=0.05)


def test_more_training_prompts_leave_less_doubt(costs: Costs, doubt: Doubt) -> None:
    similarities = POINTS.z @ costs.centers.T
    few = Doubt.fit(POINTS[:40], np.tile(doubt.noise, (40, 1)) * RNG.normal(size=(40, 3)), similarities[:40])
    unlike = replace(few, noise=doubt.noise).uncertainty(POINTS) / doubt.uncertainty(POINTS)
    assert np.median(unlike) > 2


def test_no_doubt_is_greater_than_before_anything_was_learned(doubt: Doubt) -> None:
    assert (doubt.uncertainty(POINTS) <= doubt.noise + 1e-12).all()
    assert (doubt.uncertainty(along(20)) <= doubt.noise + 1e-12).all()
    np.testing.assert_array_equal(doubt.uncertainty(Points(POINTS.z[:1] * 0, POINTS.s[:1])), 0)


def test_prompts_far_from_every_cluster_are_of_a_new_kind(costs: Costs, doubt: Doubt) -> None:
    assert doubt.is_new(POINTS.z @ costs.centers.T).mean() == pytest.approx(0.2, abs=0.02)
    strange = along(22).z @ costs.centers.T
    assert doubt.is_new(strange).all()


def test_directions_are_the_leading_dimensions() -> None:
    assert directions(POINTS[:2]).shape == (2, min(DIRECTIONS, POINTS.z.shape[1]))
    wide, _ = points(3, dimensions=50)
    np.testing.assert_array_equal(directions(wide), wide.z[:, :DIRECTIONS])


def test_doubt_comes_back_bit_for_bit(doubt: Doubt) -> None:
    again = Doubt.from_arrays(doubt.arrays())
    np.testing.assert_array_equal(again.uncertainty(POINTS), doubt.uncertainty(POINTS))
    assert again.familiar == doubt.familiar


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("precision", np.zeros((24, 23))),
        ("precision", np.zeros(24)),
        ("noise", -np.ones(3)),
        ("noise", np.ones((3, 1))),
        ("noise", np.full(3, np.nan)),
        ("familiar", np.zeros(0)),
        ("familiar", np.zeros(2)),
    ],
)
def test_doubt_that_cannot_be_is_refused(doubt: Doubt, name: str, broken: np.ndarray) -> None:
    with pytest.raises(ValueError):
        Doubt.from_arrays({**doubt.arrays(), f"doubt.{name}": broken})


def test_prompts_of_another_space_are_refused(doubt: Doubt) -> None:
    with pytest.raises(ValueError, match="30 directions where 24 are known"):
        doubt.uncertainty(points(2, dimensions=30)[0])

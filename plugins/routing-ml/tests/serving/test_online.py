"""Corrections follow a model that changed, leave a sound router alone, stay sound numbers, and survive a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.serving.online import BOUND, PRIOR, Corrections

MODELS = ("small", "medium", "large", "coder")
K = 8


@dataclass(frozen=True)
class World:
    """Prompts, what the artifact predicts for them, and what is true."""

    directions: Floats
    predicted: Floats
    precision: Floats
    noise: Floats

    def corrections(self, forgetting: float = 0.999, prior: float = PRIOR) -> Corrections:
        return Corrections(MODELS, self.precision, self.noise, forgetting=forgetting, prior=prior)

    def regret(self, truth: Floats, corrections: Corrections | None, seed: int) -> float:
        """Mean quality lost against the best choice, from scores that are right or wrong, over all prompts in turn."""
        random = np.random.default_rng(seed)
        lost = 0.0
        for row, z in enumerate(self.directions):
            expected = self.predicted[row]
            if corrections is not None:
                expected = expected + corrections.correct(z[None])[0]
            model = int(expected.argmax())
            lost += float(truth[row].max() - truth[row, model])
            if corrections is not None:
                score = float(random.random() < truth[row, model])
                corrections.learn(z, model, score - float(self.predicted[row, model]))
        return lost / len(self.directions)


@pytest.fixture(scope="module")
def world() -> World:
    random = np.random.default_rng(7)
    raw = random.standard_normal((5500, K)) * np.linspace(2, 0.5, K) + np.eye(K)[0] * 3
    z = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    taste = random.normal(0, 0.25, (K, len(MODELS)))
    quality = np.clip(np.array([0.40, 0.50, 0.60, 0.45]) + z @ taste, 0.05, 0.95)
    trained, served = z[:1500], z[1500:]
    return World(served, quality[1500:], trained.T @ trained + np.eye(K), np.full(len(MODELS), 0.45))


def degraded(world: World) -> Floats:
    """The truth after the model that is chosen most often got worse."""
    truth = world.predicted.copy()
    favourite = int(np.bincount(truth.argmax(axis=1)).argmax())
    truth[:, favourite] *= 0.4
    return truth


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_when_a_model_gets_worse_regret_falls_far_below_the_uncorrected_routers(world: World, seed: int) -> None:
    truth = degraded(world)
    corrected = world.regret(truth, world.corrections(), seed)
    assert corrected < 0.5 * world.regret(truth, None, seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_drift_a_sound_router_is_not_harmed_by_more_than_noise(world: World, seed: int) -> None:
    assert world.regret(world.predicted, None, seed) == 0
    assert world.regret(world.predicted, world.corrections(), seed) < 0.02


def test_without_feedback_nothing_is_corrected(world: World) -> None:
    corrections = world.corrections()
    assert (corrections.correct(world.directions[:5]) == np.zeros((5, len(MODELS)))).all()


def test_doubt_shrinks_where_feedback_came_and_for_the_model_it_came_for(world: World) -> None:
    corrections, z = world.corrections(), world.directions[:1]
    before = corrections.uncertainty(z)
    assert before.shape == (1, len(MODELS))
    for _ in range(50):
        corrections.learn(z[0], 2, 0.1)
    after = corrections.uncertainty(z)
    assert after[0, 2] < 0.8 * before[0, 2]
    np.testing.assert_allclose(np.delete(after, 2), np.delete(before, 2))


def test_a_model_that_is_called_no_more_gets_its_offline_prediction_back(world: World) -> None:
    corrections, z = world.corrections(forgetting=0.99), world.directions[0]
    for _ in range(200):
        corrections.learn(z, 0, -0.4)
    taught = corrections.correct(z[None])[0, 0]
    for _ in range(1000):
        corrections.learn(z, 1, 0.0)
    assert taught < -0.2
    assert abs(corrections.correct(z[None])[0, 0]) < 0.05 * abs(taught)


def test_no_correction_passes_the_bound(world: World) -> None:
    corrections = world.corrections(prior=1e-6)
    for z in world.directions[:200]:
        corrections.learn(z, 1, -1.0)
        corrections.learn(z, 3, 1.0)
    found = corrections.correct(world.directions)
    assert found.min() == -BOUND
    assert found.max() == BOUND


unit_vectors = st.lists(st.floats(-1, 1, width=16), min_size=3, max_size=3).map(
    lambda values: np.array(values) / max(1.0, float(np.linalg.norm(values)))
)
lessons = st.lists(st.tuples(unit_vectors, st.integers(0, 1), st.floats(-1, 1)), min_size=1, max_size=6)


@settings(max_examples=30, deadline=None)
@given(lessons=lessons, forgetting=st.sampled_from([0.5, 0.99, 0.9999, 1.0]), rounds=st.integers(1, 400))
def test_the_precision_stays_finite_symmetric_and_never_below_the_prior(
    lessons: list[tuple[Floats, int, float]], forgetting: float, rounds: int
) -> None:
    precision = np.diag([900.0, 20.0, 1.0])
    corrections = Corrections(("a", "b"), precision, np.array([0.4, 0.5]), forgetting=forgetting, prior=0.1)
    for _ in range(rounds):
        for z, model, residual in lessons:
            corrections.learn(z, model, residual)
    for model in (0, 1):
        found = corrections.precision(model)
        assert np.isfinite(found).all()
        assert (found == found.T).all()
        assert np.linalg.eigvalsh(found - 0.1 * precision)[0] >= -1e-9 * np.abs(found).max()
    grid = np.vstack([np.eye(3), -np.eye(3)])
    assert np.isfinite(corrections.correct(grid)).all()
    assert np.isfinite(corrections.uncertainty(grid)).all()


def test_a_restart_goes_on_where_it_stopped(world: World) -> None:
    first, second = world.corrections(), world.corrections()
    for row, z in enumerate(world.directions[:300]):
        first.learn(z, row % len(MODELS), -0.3)
    assert second.restore(first.state())
    assert second.outcomes == first.outcomes == 300
    for corrections in (first, second):
        corrections.learn(world.directions[400], 0, 0.2)
    np.testing.assert_allclose(
        second.correct(world.directions), first.correct(world.directions), rtol=0, atol=0.005
    )  # before the restart some heads were a few outcomes older
    assert second.state() != world.corrections().state()


def test_another_artifact_starts_anew(world: World) -> None:
    taught = Corrections(MODELS, world.precision, world.noise, artifact="one")
    taught.learn(world.directions[0], 0, -0.5)
    for other in (
        Corrections(MODELS, world.precision, world.noise, artifact="two"),
        Corrections(MODELS, 2 * world.precision, world.noise, artifact="one"),
        Corrections(tuple(reversed(MODELS)), world.precision, world.noise, artifact="one"),
    ):
        assert not other.restore(taught.state())
        assert other.outcomes == 0


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_state_is_refused_and_changes_nothing(data: st.DataObject) -> None:
    corrections = Corrections(("a", "b"), np.eye(2), np.array([0.4, 0.5]))
    corrections.learn(np.array([0.6, 0.8]), 0, 0.25)
    good, before = corrections.state(), corrections.correct(np.eye(2))
    place = data.draw(st.integers(0, len(good) - 1))
    bad = good[:place] + bytes([good[place] ^ data.draw(st.integers(1, 255))]) + good[place + 1 :]
    try:
        taken = corrections.restore(bad)
    except ValueError:
        taken = False
    if taken:  # a flipped bit in a sum is a sum still; what matters is that it gives numbers
        assert np.isfinite(corrections.correct(np.eye(2))).all()
        assert np.isfinite(corrections.uncertainty(np.eye(2))).all()
    else:
        assert (corrections.correct(np.eye(2)) == before).all()
        assert corrections.state() == good


@pytest.mark.parametrize("state", [b"", b"\x80\x04K\x01.", b"{}", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_bytes_that_are_no_state_are_refused(world: World, state: bytes) -> None:
    with pytest.raises(ValueError, match=r"header|arrays"):
        world.corrections().restore(state)


@pytest.mark.parametrize(
    ("z", "model", "residual", "message"),
    [
        ([0.1] * 7, 0, 0.1, "directions of shape"),
        ([1.0] * K, 0, 0.1, "longer than a unit vector"),
        ([float("nan")] * K, 0, 0.1, "not finite"),
        ([0.1] * K, 4, 0.1, "no model 4"),
        ([0.1] * K, -1, 0.1, "no model -1"),
        ([0.1] * K, 0, 1.5, "not within"),
        ([0.1] * K, 0, float("nan"), "not within"),
    ],
)
def test_what_cannot_be_is_not_learned(world: World, z: list[float], model: int, residual: float, message: str) -> None:
    corrections = world.corrections()
    with pytest.raises(ValueError, match=message):
        corrections.learn(z, model, residual)
    assert corrections.outcomes == 0


@pytest.mark.parametrize(
    ("precision", "noise", "settings", "message"),
    [
        (np.zeros((2, 2)), [0.1, 0.1], {}, "positive definite"),
        (np.array([[1.0, 0.5], [0.0, 1.0]]), [0.1, 0.1], {}, "symmetric"),
        (np.eye(2), [0.1], {}, "2 models"),
        (np.eye(2), [0.1, -0.1], {}, "below 0"),
        (np.eye(2), [0.1, 0.1], {"prior": 0.0}, "prior"),
        (np.eye(2), [0.1, 0.1], {"forgetting": 1.01}, "forgetting"),
    ],
)
def test_numbers_that_do_not_fit_together_are_refused(
    precision: Floats, noise: list[float], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Corrections(("a", "b"), precision, np.array(noise), **settings)

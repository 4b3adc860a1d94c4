"""A router comes back from its artifact as it was trained; a manifest or arrays that lie are refused and told why."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from routeiq_routing_ml.artifact import arrays as codec
from routeiq_routing_ml.artifact.manifest import Manifest
from routeiq_routing_ml.model.packing import Packed, pack, unpack
from routeiq_routing_ml.model.router import check_pool, tokens_of
from routeiq_routing_ml.scorers.estimator import Estimator
from routeiq_routing_ml.scorers.registry import KINDS
from routeiq_routing_ml.training.trainer import Settings, train

from ..gateway.gateway_cases import embed, question
from .trained import GOOD_AT, MODELS, packed, packed_pair, table, trained

QUESTIONS = [question(kind, 7000 + number) for number in range(6) for kind in GOOD_AT]
WANTED = [MODELS.index(GOOD_AT[kind]) for _ in range(6) for kind in GOOD_AT]


def on_disk(arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    return codec.decode(codec.encode(arrays), "arrays")


def changed(manifest: Manifest, **changes: Any) -> Manifest:
    return Manifest.model_validate({**manifest.model_dump(), **changes})


@pytest.mark.parametrize("strategy", KINDS)
def test_every_strategy_comes_back_and_predicts_as_before(strategy: str) -> None:
    before, manifest, arrays = packed(strategy)
    after = unpack(manifest, on_disk(arrays))
    tokens = tokens_of(QUESTIONS)
    old = before.main.predict(before.main.points(QUESTIONS), tokens)
    new = after.main.predict(after.main.points(QUESTIONS), tokens)
    for name in ("quality", "uncertainty"):
        assert np.abs(getattr(new, name) - getattr(old, name)).max() < 0.05
    np.testing.assert_allclose(new.cost, old.cost, rtol=0.05)
    assert (after.plain, after.embedder, after.fingerprint) == (after.main, None, None)
    assert (after.policy, after.weights) == (before.policy, before.weights)
    assert after.main.models == MODELS
    if strategy != "elo":
        assert (new.quality.argmax(axis=1) == WANTED).mean() > 0.9


def test_a_pair_comes_back_with_both_its_routers() -> None:
    before, manifest, arrays = packed_pair()
    after = unpack(manifest, on_disk(arrays))
    assert (after.embedder, after.fingerprint) == ("fixture", "embedder-1")
    assert after.main.space.embedded == before.main.space.embedded == 16
    assert after.plain.space.embedded == 0
    tokens = tokens_of(QUESTIONS)
    seen = after.main.predict(after.main.points(QUESTIONS, embed(QUESTIONS)), tokens)
    blind = after.plain.predict(after.plain.points(QUESTIONS), tokens)
    for prediction in (seen, blind):
        np.testing.assert_array_equal(prediction.quality.argmax(axis=1), WANTED)


def test_an_estimator_comes_back_through_the_caller() -> None:
    made = train(table(), Settings("custom", custom=lambda lesson: Estimator.fit(Ridge(), lesson)))
    whole = Packed(made.router, made.router, None, None, made.settings.policy, made.weights)
    manifest, arrays = pack(whole, strategy="custom", trainer="t", metrics={}, custom=lambda: made.router.scorer)
    after = unpack(manifest, on_disk(arrays), lambda: made.router.scorer)
    assert after.main.scorer is made.router.scorer
    with pytest.raises(ValueError, match="'custom' is not known"):
        unpack(manifest, on_disk(arrays))
    other = Estimator.fit(Ridge(alpha=1e6), made_lesson())
    with pytest.raises(ValueError, match="other qualities"):
        unpack(manifest, on_disk(arrays), lambda: other)
    with pytest.raises(ValueError, match="do not fit together"):
        unpack(manifest, on_disk(arrays), lambda: Estimator(None, 3))  # type: ignore[arg-type]


def made_lesson() -> Any:
    from routeiq_routing_ml.scorers.base import Lesson

    return Lesson(trained("knn").router.points(table().texts), table().quality)


def test_the_manifest_says_what_was_packed() -> None:
    _, manifest, _ = packed("knn")
    assert manifest.pool == MODELS
    assert manifest.settings["default"] in MODELS
    assert manifest.features["kind"] == "hashing"
    assert manifest.metrics == {"gap": 0.5}
    assert abs(manifest.version / 1000 - datetime.now(UTC).timestamp()) < 600
    texts = {str(probe["text"]) for probe in manifest.probes}
    assert not texts & set(table().texts), "a self-test holds no training prompts"


def test_the_fingerprint_of_features_is_that_of_what_will_be_read() -> None:
    _, manifest, arrays = packed("knn")
    after = unpack(manifest, on_disk(arrays))
    assert after.main.space.fingerprint() == manifest.features["fingerprint"]
    _, paired, both = packed_pair()
    assert unpack(paired, on_disk(both)).main.space.fingerprint("embedder-1") == paired.features["fingerprint"]


def test_an_end_is_kept_to_the_second() -> None:
    made = trained("elo")
    whole = Packed(made.router, made.router, None, None, made.settings.policy, made.weights)
    end = datetime.now(UTC) + timedelta(days=2)
    manifest, _ = pack(whole, strategy="elo", trainer="t", metrics={}, expires=end)
    assert manifest.expires_at() == end.replace(microsecond=0)


def swapped(arrays: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The rows of one array in another order."""
    return {**arrays, name: np.roll(arrays[name], 1, axis=0)}


@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        ("knn", "main.knn.values"),
        ("knn", "main.knn.store"),
        ("knn", "main.calibration.intercept"),
        ("knn", "main.space.axes"),
        ("knn", "main.space.mean"),
        ("knn", "main.hashing.projection"),
        ("ridge", "main.linear.weights"),
        ("ridge", "main.linear.bias"),
        ("logistic", "main.linear.weights"),
        ("svm", "main.linear.bias"),
        ("mlp", "main.network.leave_bias"),
        ("mf", "main.linear.bias"),
        ("kmeans", "main.clusters.table"),
        ("ensemble", "main.forest.values"),
        ("ensemble", "main.kernel.mean"),
    ],
)
def test_the_self_test_catches_an_array_out_of_order(strategy: str, name: str) -> None:
    _, manifest, arrays = packed(strategy)
    with pytest.raises(ValueError, match="other qualities than at training"):
        unpack(manifest, on_disk(swapped(arrays, name)))


def test_the_arrays_of_another_router_of_the_same_shape_are_caught() -> None:
    _, manifest, arrays = packed("ridge")
    other = packed("mf")[2]
    with pytest.raises(ValueError, match="other qualities"):
        unpack(manifest, on_disk({**arrays, **{name: other[name] for name in arrays if "linear" in name}}))


@pytest.mark.parametrize("part", ["main.", "plain."])
def test_the_self_test_looks_at_both_routers_of_a_pair(part: str) -> None:
    _, manifest, arrays = packed_pair()
    with pytest.raises(ValueError, match="other qualities"):
        unpack(manifest, on_disk(swapped(arrays, f"{part}knn.values")))
    probes = [probe for probe in manifest.probes if probe["part"] != part]
    with pytest.raises(ValueError, match="no self-test"):
        unpack(changed(manifest, probes=probes), on_disk(arrays))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"default": "nobody"}, "'nobody', which is not in the pool"),
        ({"default": None}, "not in the pool"),
        ({"default": 0}, "not in the pool"),
        ({"margin": -0.1}, r"settings\.margin is -0\.1"),
        ({"margin": 1.1}, r"settings\.margin"),
        ({"new_margin": 7}, r"settings\.new_margin"),
        ({"tolerance": "nan"}, r"settings\.tolerance is nan"),
        ({"tolerance": "much"}, "much"),
        ({"margin": None}, "do not fit together"),
        ({"margin": 10**400}, "do not fit together"),
        ({"weights": []}, "do not fit together"),
        ({"weights": {"economy": -1}}, r"weights\.economy is -1\.0"),
        ({"weights": {"economy": "inf"}}, r"weights\.economy is inf"),
        ({"weights": {"economy": "nan"}}, r"weights\.economy is nan"),
        ({"weights": {"economy": {}}}, "do not fit together"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(settings: dict[str, Any], match: str) -> None:
    _, manifest, arrays = packed("elo")
    with pytest.raises(ValueError, match=match):
        unpack(changed(manifest, settings={**manifest.settings, **settings}), on_disk(arrays))


@pytest.mark.parametrize("name", ["default", "margin", "new_margin", "tolerance", "weights"])
def test_a_missing_setting_is_named(name: str) -> None:
    _, manifest, arrays = packed("elo")
    settings = {key: value for key, value in manifest.settings.items() if key != name}
    with pytest.raises(ValueError, match=f"lacks '{name}'"):
        unpack(changed(manifest, settings=settings), on_disk(arrays))


@pytest.mark.parametrize("strategy", ["elo", "knn", "ensemble"])
def test_a_missing_array_is_named(strategy: str) -> None:
    _, manifest, arrays = packed(strategy)
    for name in arrays:
        without = {key: array for key, array in arrays.items() if key != name}
        with pytest.raises(ValueError, match=name.removeprefix("main.")):
            unpack(manifest, without)


@pytest.mark.parametrize(
    "probes",
    [
        (),
        ({"text": "hello"},),
        ({"part": "main."},),
        ({"part": "main.", "scores": None},),
        ({"part": [], "scores": [1, 2, 3]},),
        ({"part": "main.", "scores": [0.5, 0.5, 0.5]},),
        ({"part": "main.", "scores": ["a", "b", "c"]},) * 3,
        ({"part": "main.", "scores": [0.5]},) * 3,
        ({"part": "main.", "scores": [0.5, 0.5, 0.5]}, {"part": "main.", "scores": {}}, {"part": "main.", "scores": 1}),
    ],
)
def test_a_self_test_that_is_none_is_refused(probes: tuple[dict[str, Any], ...]) -> None:
    _, manifest, arrays = packed("elo")
    with pytest.raises(ValueError):
        unpack(changed(manifest, probes=probes), on_disk(arrays))


def test_a_strategy_that_is_not_known_or_not_the_arrays_is_refused() -> None:
    _, manifest, arrays = packed("knn")
    with pytest.raises(ValueError, match="'magic' is not known"):
        unpack(changed(manifest, strategy="magic"), on_disk(arrays))
    with pytest.raises(ValueError, match=r"linear\.weights"):
        unpack(changed(manifest, strategy="ridge"), on_disk(arrays))


@pytest.mark.parametrize("pool", [["small", "medium"], ["small", "medium", "large", "huge"]])
def test_a_pool_of_another_size_is_refused_with_both_numbers(pool: list[str]) -> None:
    _, manifest, arrays = packed("knn")
    settings = {**manifest.settings, "default": "small"}
    with pytest.raises(ValueError, match=f"the pool has {len(pool)} models, but: scorer 3, calibration 3, costs 3"):
        unpack(changed(manifest, pool=pool, settings=settings), on_disk(arrays))


def test_a_manifest_that_hides_or_invents_an_embedder_is_refused() -> None:
    _, manifest, arrays = packed_pair()
    hidden = {**manifest.features, "embedder": None}
    with pytest.raises(ValueError, match="the space reads 16 numbers"):
        unpack(changed(manifest, features=hidden), on_disk(arrays))
    _, plain, alone = packed("knn")
    both = {**alone, **{name.replace("main.", "plain."): array for name, array in alone.items()}}
    with pytest.raises(ValueError, match="the embedder is 'fixture', but the space reads 0"):
        unpack(changed(plain, features={**plain.features, "embedder": "fixture"}), on_disk(both))
    twice = {**arrays, **{name.replace("main.", "plain."): a for name, a in arrays.items() if name.startswith("main.")}}
    with pytest.raises(ValueError, match="stand-in"):
        unpack(manifest, on_disk(twice))


def test_a_pool_is_checked_part_by_part() -> None:
    router = trained("knn").router
    check_pool(router)
    shorter = replace(router.calibration, slope=router.calibration.slope[:2])
    with pytest.raises(ValueError, match="3 models, but: calibration 2"):
        check_pool(replace(router, calibration=shorter))
    with pytest.raises(ValueError, match="3 models, but: doubt 1"):
        check_pool(replace(router, doubt=replace(router.doubt, noise=router.doubt.noise[:1])))
    for default in (3, -1):
        with pytest.raises(ValueError, match="the default is none of them"):
            check_pool(replace(router, default=default))


def test_many_prompts_are_predicted_as_each_alone() -> None:
    router = trained("ridge").router
    texts = (QUESTIONS * 70)[:1100]
    many = router.predict(router.points(texts), tokens_of(texts))
    one = router.predict(router.points(texts[1050:1051]), tokens_of(texts[1050:1051]))
    for name in ("quality", "cost", "uncertainty"):
        assert getattr(many, name).shape == (1100, 3)
        np.testing.assert_allclose(getattr(many, name)[1050], getattr(one, name)[0], atol=1e-5)
    assert many.new.shape == (1100,)
    none = router.predict(router.points([]), np.zeros(0))
    assert none.quality.shape == none.cost.shape == (0, 3)


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_is_refused_or_harmless_and_never_another_kind_of_error(seed: int) -> None:
    _, manifest, arrays = packed("ensemble")
    rng = np.random.default_rng(seed)
    for name, array in arrays.items():
        shape = list(array.shape)
        axis = int(rng.integers(len(shape)))
        shape[axis] = int(rng.integers(0, shape[axis] + 3))
        damaged = np.resize(array, shape) if array.size else array
        with warnings.catch_warnings(), contextlib.suppress(ValueError):
            warnings.simplefilter("ignore", RuntimeWarning)
            found = unpack(manifest, {**arrays, name: damaged})
            assert np.isfinite(found.main.predict(found.main.points(QUESTIONS), tokens_of(QUESTIONS)).quality).all()

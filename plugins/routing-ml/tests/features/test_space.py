"""Texts become the same finite unit vectors at training and at serving, and broken arrays become nothing at all."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.features.hashing import Hashing, count_matrix, unit
from routeiq_routing_ml.features.ngrams import BUCKETS, counts, normalised
from routeiq_routing_ml.features.space import COARSE, DIMENSIONS, Space
from routeiq_routing_ml.features.surface import NAMES

from ..gateway.gateway_cases import embed, table

TEXTS = list(table(200).texts)


@pytest.fixture(scope="module")
def space() -> Space:
    """As it is read from an artifact."""
    return Space.from_arrays(Space.fit(TEXTS).arrays())


@pytest.fixture(scope="module")
def with_embedder() -> Space:
    return Space.from_arrays(Space.fit(TEXTS, embed(TEXTS)).arrays())


def fitted(texts: Sequence[str]) -> Space:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # shares of no variance at all, which nobody reads
        return Space.fit(texts)


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.text(st.characters(), max_size=80), max_size=4))
def test_every_text_has_finite_vectors_of_unit_length(space: Space, texts: list[str]) -> None:
    points = space.points(texts)
    assert points.z.shape == (len(texts), space.dimensions)
    assert points.s.shape == (len(texts), len(NAMES))
    assert np.isfinite(points.z).all()
    assert np.isfinite(points.s).all()
    assert np.abs(points.s).max(initial=0) <= 3
    lengths = np.linalg.norm(points.z, axis=1)
    assert ((np.abs(lengths - 1) < 1e-4) | (lengths == 0)).all()


@pytest.mark.parametrize("text", ["", "\x00" * 100, "\ufdfa" * 50_000, "word " * 200_000, "\ud800", "\n" * 100_000])
def test_empty_huge_and_control_texts_have_finite_vectors(space: Space, text: str) -> None:
    assert np.isfinite(space.points([text]).z).all()


@pytest.mark.parametrize("text", TEXTS[:5])
def test_case_does_not_move_a_text_nor_does_white_space_round_it(space: Space, text: str) -> None:
    plain, shouted = space.points([text, f"\n  {text.upper()}\t\n"])
    np.testing.assert_allclose(shouted.z, plain.z, atol=1e-5)


def test_unicode_forms_and_kinds_of_white_space_do_not_move_the_words_of_a_text(space: Space) -> None:
    forms = ["tell me a story", "\uff34\uff45\uff4c\uff4c\u3000\uff4d\uff45  a\u00a0story", "TELL\nME\tA STORY "]
    vectors = space.hashing.embed(forms)
    np.testing.assert_allclose(vectors[1:], vectors[[0, 0]], atol=1e-6)


def test_a_text_has_the_same_vector_alone_and_among_others(space: Space) -> None:
    together = space.points(TEXTS[:20])
    alone = np.vstack([space.points([text]).z for text in TEXTS[:20]])
    np.testing.assert_allclose(together.z, alone, atol=1e-5)


def test_texts_of_a_kind_are_nearer_to_one_another_than_to_others(space: Space) -> None:
    kinds = np.array(table(200).tasks)
    z = space.points(TEXTS).z
    near = z @ z.T
    same = kinds[:, None] == kinds
    assert near[same].mean() > near[~same].mean() + 0.3


def test_one_sparse_matrix_and_single_counts_agree() -> None:
    matrix = count_matrix(TEXTS[:5]).toarray()
    for row, text in zip(matrix, TEXTS[:5], strict=True):
        for block, (buckets, hits) in enumerate(counts(normalised(text))):
            np.testing.assert_array_equal(row[buckets + block * BUCKETS], hits)
    words_and_letters = [sum(hits.sum() for _, hits in counts(normalised(text))) for text in TEXTS[:5]]
    np.testing.assert_array_equal(matrix.sum(axis=1), words_and_letters)


def test_words_and_letters_of_a_text_speak_equally_loudly_however_many_they_are(space: Space) -> None:
    """By the definition: rarity times 1 + log of the count, each block of unit length, projected, of unit length."""
    hashing = space.hashing
    for text in TEXTS[:5]:
        told = np.zeros(hashing.dimensions)
        for block, (buckets, hits) in enumerate(counts(normalised(text))):
            columns = buckets + block * BUCKETS
            weights = hashing.idf[columns] * (1 + np.log(hits))
            told += weights / np.linalg.norm(weights) @ hashing.projection[columns]
        np.testing.assert_allclose(hashing.embed([text])[0], told / np.linalg.norm(told), atol=1e-5)


def test_fitting_weighs_a_text_as_embedding_does() -> None:
    hashing = Hashing.fit(TEXTS, dimensions=len(TEXTS) - 1)
    # with as many directions as texts, nothing of the weighted counts is lost, so likenesses are those of the counts
    weighted = count_matrix(TEXTS[:20]).toarray()
    weighted = np.where(weighted > 0, 1 + np.log(np.maximum(weighted, 1)), 0) * hashing.idf
    halves = [unit(weighted[:, :BUCKETS]), unit(weighted[:, BUCKETS:])]
    likeness = unit(np.hstack(halves)) @ unit(np.hstack(halves)).T
    vectors = hashing.embed(TEXTS[:20])
    np.testing.assert_allclose(vectors @ vectors.T, likeness, atol=0.02)


@pytest.mark.parametrize(
    "texts", [["a"], ["", ""], ["same thing"] * 5, ["", "some words"], ["\n"] * 3, ["one two", "three four"]]
)
def test_very_few_equal_and_empty_texts_still_make_a_space(texts: list[str]) -> None:
    space = fitted(texts)
    assert space.hashing.dimensions <= max(1, len(texts) - 1)
    points = space.points([*texts, "something else"])
    assert np.isfinite(points.z).all()
    assert points.coarse.shape[1] <= COARSE + len(NAMES)


def test_the_space_is_no_wider_than_promised(space: Space, with_embedder: Space) -> None:
    assert max(space.dimensions, with_embedder.dimensions) <= DIMENSIONS
    points = space.points(TEXTS[:3])
    assert points.coarse.shape == (3, min(COARSE, space.dimensions) + len(NAMES))
    assert points.wide.shape == (3, space.dimensions + len(NAMES))
    assert len(points) == 3
    np.testing.assert_array_equal(points[1:].z, points.z[1:])


def test_one_seed_makes_one_space() -> None:
    one, same, other = (Space.fit(TEXTS, seed=seed).fingerprint() for seed in (3, 3, 4))
    assert one == same
    assert one != other


@pytest.mark.parametrize("name", ["space", "with_embedder"])
def test_arrays_come_back_bit_for_bit(name: str, request: pytest.FixtureRequest) -> None:
    space: Space = request.getfixturevalue(name)
    arrays = space.arrays()
    again = Space.from_arrays(arrays)
    for key, array in again.arrays().items():
        assert array.dtype == arrays[key].dtype
        np.testing.assert_array_equal(array, arrays[key])
    vectors = embed(TEXTS[:9]) if space.embedded else None
    np.testing.assert_array_equal(again.points(TEXTS[:9], vectors).z, space.points(TEXTS[:9], vectors).z)
    assert again.embedded == space.embedded


def test_half_precision_on_disk_moves_no_text_noticeably() -> None:
    fresh = Space.fit(TEXTS)
    np.testing.assert_allclose(Space.from_arrays(fresh.arrays()).points(TEXTS).z, fresh.points(TEXTS).z, atol=2e-3)


@pytest.mark.parametrize("name", ["hashing.idf", "hashing.projection", "space.mean", "space.deviation", "space.axes"])
def test_the_fingerprint_changes_with_every_array(space: Space, name: str) -> None:
    arrays = space.arrays()
    changed = arrays[name].copy()
    changed.flat[5] += 1
    assert Space.from_arrays({**arrays, name: changed}).fingerprint() != space.fingerprint()


def test_the_fingerprint_names_the_embedder_too(space: Space) -> None:
    assert space.fingerprint("minilm-1") != space.fingerprint("minilm-2") != space.fingerprint()


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("hashing.idf", np.zeros(5)),
        ("hashing.idf", np.zeros((2 * BUCKETS, 1))),
        ("hashing.idf", np.array(["a"] * 2 * BUCKETS)),
        ("hashing.projection", np.zeros(2 * BUCKETS)),
        ("hashing.projection", np.zeros((BUCKETS, 4))),
        ("space.mean", np.zeros(10)),
        ("space.mean", np.zeros((11, 1))),
        ("space.deviation", np.zeros(11)),
        ("space.deviation", -np.ones(11)),
        ("space.deviation", np.full(11, np.nan)),
        ("space.deviation", np.ones(12)),
        ("space.axes", np.zeros(20)),
        ("space.axes", np.zeros((3, 3))),
        ("space.axes", np.zeros((0, 0))),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(space: Space, name: str, broken: np.ndarray) -> None:
    with pytest.raises(ValueError):
        Space.from_arrays({**space.arrays(), name: broken})


@pytest.mark.parametrize("name", ["hashing.idf", "hashing.projection", "space.mean", "space.deviation", "space.axes"])
def test_a_missing_array_is_named(space: Space, name: str) -> None:
    with pytest.raises(KeyError, match=name):
        Space.from_arrays({key: array for key, array in space.arrays().items() if key != name})


@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros((2, 15)),
        np.zeros((1, 16)),
        np.zeros(16),
        np.zeros((2, 16, 1)),
        np.full((2, 16), np.nan),
        np.full((2, 16), np.inf),
        np.full((2, 16), 1e300),
    ],
)
def test_vectors_of_another_shape_or_not_finite_are_refused(with_embedder: Space, vectors: np.ndarray) -> None:
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="2 finite vectors of length 16"):
        with_embedder.points(TEXTS[:2], vectors)


def test_a_space_with_an_embedder_says_that_vectors_are_missing(with_embedder: Space) -> None:
    assert with_embedder.embedded == 16
    with pytest.raises(ValueError, match="needs an embedder's vectors"):
        with_embedder.points(TEXTS[:2])


def test_the_length_of_an_embedders_vectors_makes_no_difference(with_embedder: Space) -> None:
    vectors = embed(TEXTS[:4])
    np.testing.assert_allclose(
        with_embedder.points(TEXTS[:4], 7 * vectors).z, with_embedder.points(TEXTS[:4], vectors).z, atol=1e-5
    )


def test_a_text_without_a_known_word_or_letter_run_is_the_zero_vector() -> None:
    hashing = Hashing(np.zeros(2 * BUCKETS, np.float32), np.ones((2 * BUCKETS, 3), np.float32))
    np.testing.assert_array_equal(hashing.embed(["hello"]), np.zeros((1, 3)))
    np.testing.assert_array_equal(replace(hashing).embed([]), np.zeros((0, 3)))
    np.testing.assert_array_equal(unit(np.zeros((2, 3), np.float32)), np.zeros((2, 3)))

"""The vectors are those of the original model, for every text, in every company."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_embed_minilm import MiniLM, MiniLMConfig
from routeiq_embed_minilm.embedder import CHARACTERS_A_TOKEN
from routeiq_embed_minilm.wordpiece import Words

GOLDEN = Path(__file__).with_name("golden")
WORDS = ["the", "of", "sort", "proof", "café", "猫", "x1", "[SEP]", "naïve", "http://a.example/b?c", "\n"]


def golden(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return cases


def test_tokens_are_those_of_the_original_tokenizer() -> None:
    cases = golden("token_numbers.json")
    made = Words(256).numbers([case["text"] for case in cases])
    assert len(cases) > 20
    for case, numbers in zip(cases, made, strict=True):
        assert numbers == case["numbers"], case["text"][:40]


def test_vectors_are_near_those_of_the_model_before_quantisation(minilm: MiniLM) -> None:
    cases = golden("float_vectors.json")
    made = minilm.embed([case["text"] for case in cases])
    cosines = np.sum(made * np.array([case["vector"] for case in cases]), axis=1)
    assert cosines.min() > 0.99


def test_what_is_alike_in_meaning_is_nearer(minilm: MiniLM) -> None:
    one, alike, other = minilm.embed(["How do I sort a list?", "Putting an array in order", "A poem about the rain"])
    assert one @ alike > one @ other + 0.2


def test_a_text_has_the_same_vector_in_batches_of_all_lengths(minilm: MiniLM) -> None:
    chance = random.Random(7)
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(1, 50))) for _ in range(24)]
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    assert np.abs(minilm.embed(texts) - alone).max() < 1e-5
    assert np.abs(minilm.embed(texts[::-1])[::-1] - alone).max() < 1e-5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=80), min_size=1, max_size=4))
def test_any_text_has_a_finite_vector_of_length_one(minilm: MiniLM, texts: list[str]) -> None:
    vectors = minilm.embed(texts)
    assert (vectors.shape, vectors.dtype) == ((len(texts), 384), np.float32)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00" * 10_000,
        "\ud800\udfff\ud800",
        "\u200d\ufeff\u202e",
        "[PAD]" * 1000,
        "[CLS][SEP][MASK]" * 1000,
        "x" * 1_000_000,
        "́" * 100_000,
        "猫" * 100_000,
        "�" * 100,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_hostile_texts_do_no_harm_to_their_neighbours(minilm: MiniLM, text: str) -> None:
    vectors = minilm.embed([text, "Hello!", text])
    assert np.isfinite(vectors).all()
    assert np.abs(vectors[1] - minilm.embed(["Hello!"])[0]).max() < 1e-5
    assert np.abs(vectors[0] - vectors[2]).max() < 1e-5


def test_what_is_no_valid_unicode_is_left_out(minilm: MiniLM) -> None:
    broken, whole = minilm.embed(["merge\ud800 two lists", "merge two lists"])
    assert np.array_equal(broken, whole)


def test_a_text_is_cut_by_tokens(minilm: MiniLM) -> None:
    long, longer, short = minilm.embed(["cat " * 254, "cat " * 254 + "proof " * 100, "cat " * 253])
    assert np.array_equal(long, longer)
    assert not np.array_equal(long, short)


def test_a_huge_text_is_cut_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    numbers = Words.numbers

    def watched(words: Words, texts: list[str]) -> list[list[int]]:
        given.extend(map(len, texts))
        return numbers(words, texts)

    monkeypatch.setattr(Words, "numbers", watched)
    assert MiniLM(MiniLMConfig(max_tokens=16)).embed([" " * 5_000_000]).shape == (1, 384)
    assert given == [16 * CHARACTERS_A_TOKEN]

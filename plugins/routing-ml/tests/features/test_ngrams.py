"""Hashed n-grams are counted as defined, wherever they stand, and of whatever text there is."""

from __future__ import annotations

import string
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.features.ngrams import BUCKETS, MOST_CHARACTERS, Counts, counts, normalised

from . import reference

ANY = st.text(st.characters(), max_size=60)
PLAIN = st.text(string.ascii_lowercase + string.digits + "_ .,", max_size=40)


def counted(found: Counts) -> Counter[int]:
    buckets, hits = found
    return Counter(dict(zip(buckets.tolist(), hits.astype(int).tolist(), strict=True)))


@settings(max_examples=150, deadline=None)
@given(text=ANY)
def test_every_text_is_counted_as_the_slow_definition_counts_it(text: str) -> None:
    clean = normalised(text)
    words, letters = counts(clean)
    assert counted(words) == reference.words(clean)
    assert counted(letters) == reference.letters(clean)


@settings(max_examples=100, deadline=None)
@given(word=st.text(string.ascii_lowercase, min_size=1, max_size=12), before=PLAIN, after=PLAIN)
def test_a_word_and_its_letters_get_the_same_buckets_wherever_they_stand(word: str, before: str, after: str) -> None:
    alone_words, alone_letters = counts(word)
    words, letters = counts(normalised(f"{before} {word} {after}"))
    assert set(alone_words[0]) <= set(words[0])
    assert set(alone_letters[0]) <= set(letters[0])


@settings(max_examples=100, deadline=None)
@given(text=ANY)
def test_the_counts_add_up_to_the_number_of_runs(text: str) -> None:
    clean = normalised(text)
    (word_buckets, word_hits), (letter_buckets, letter_hits) = counts(clean)
    size = len(f" {clean} ".encode("utf-8", "replace"))
    assert letter_hits.sum() == sum(max(0, size - length + 1) for length in (3, 4, 5))
    found = len(reference.word_runs(clean.encode("utf-8", "replace")))
    assert word_hits.sum() == found + max(0, found - 1)
    for buckets in (word_buckets, letter_buckets):
        assert len(np.unique(buckets)) == len(buckets)
        assert not len(buckets) or (buckets.min() >= 0 and buckets.max() < BUCKETS)


def test_a_word_at_the_far_end_of_the_longest_text_has_the_bucket_of_the_word_alone() -> None:
    far = counts("\U0001f600" * (MOST_CHARACTERS - 6) + " merge")[0]
    assert set(counts("merge")[0][0]) <= set(far[0])


@pytest.mark.parametrize(
    "text",
    [
        "\ufdfa" * MOST_CHARACTERS,  # one character that NFKC makes eighteen of
        "a\ufdfa" * MOST_CHARACTERS,
        "\u0390" * 3 * MOST_CHARACTERS,  # one that case folding makes three of
        "\U0001f468\u200d\U0001f469" * MOST_CHARACTERS,
        "x" * 1_000_000,
        "\x00" * 5000,
        "\ud800" * 5000,
    ],
)
def test_texts_that_grow_when_normalised_are_counted_too(text: str) -> None:
    words, letters = counts(normalised(text))
    assert letters[1].sum() > 0
    assert len(words[0]) == len(words[1])


@pytest.mark.parametrize("text", ["", " ", "\n\t\r\u3000", "\u00a0"])
def test_a_text_without_a_character_has_no_counts(text: str) -> None:
    words, letters = counts(normalised(text))
    assert len(words[0]) == len(letters[0]) == 0


@settings(max_examples=100, deadline=None)
@given(text=ANY, form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_unicode_forms_of_a_text_are_one_text(text: str, form: str) -> None:
    assert normalised(unicodedata.normalize(form, text)) == normalised(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello   WORLD", "hello world"),
        ("\n\nwrite\tcode \r\n now\u2003", "write code now"),
        ("\uff46\uff55\uff4c\uff4c\u3000\uff57\uff49\uff44\uff54\uff48", "full width"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u0415\u0416 \u03a3\u03a3", "\u0435\u0436 \u03c3\u03c2"),
        ("\ufb01ne", "fine"),
    ],
)
def test_case_kinds_of_white_space_and_compatible_characters_make_no_difference(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_of_a_long_text_the_head_and_the_tail_are_read_and_the_middle_is_not() -> None:
    head, tail = "begin " * 100, " finish" * 50
    short, long = (head + middle + tail for middle in ("x" * 5000, "y" * 10 + "x" * 50_000))
    assert normalised(head + "x" * 50_000 + tail) == normalised(short)
    assert normalised(long).startswith("begin begin")
    assert normalised(long).endswith("finish finish")
    assert len(normalised(long)) <= MOST_CHARACTERS + 1

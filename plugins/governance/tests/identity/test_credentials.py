"""What keys look like: unguessable, recognizable by a scanner, named by their hash."""

from __future__ import annotations

import hashlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_governance.identity import credentials


def test_made_keys_differ_and_are_told_from_others() -> None:
    made = {credentials.make_key() for _ in range(1000)}
    assert len(made) == 1000
    for key in made:
        assert credentials.looks_made(key)
        assert credentials.is_choosable(key)
        assert set(key) <= set(string.ascii_letters + string.digits + "-_")
        assert len(key) == len("sk-") + 43 + 6, "256 bits and a checksum"
    key = made.pop()
    for position in range(3, len(key)):
        other = "A" if key[position] != "A" else "B"
        assert not credentials.looks_made(key[:position] + other + key[position + 1 :])
    assert not credentials.looks_made("sk-")
    assert not credentials.looks_made(key[1:])


def test_the_id_is_the_hash_that_litellm_stores() -> None:
    key = "sk-0123456789abcdef"
    assert credentials.key_id(key) == hashlib.sha256(key.encode()).hexdigest()
    assert credentials.id_of(key) == credentials.id_of(credentials.key_id(key)) == credentials.key_id(key)


def test_little_is_shown_of_a_key() -> None:
    assert credentials.masked("sk-0123456789abcdef") == "sk-...cdef"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("sk-0123456789abc", True),
        ("sk-0123456789ab", False),
        ("pk-0123456789abc", False),
        ("sk-01234567 9abc", False),
        ("sk-0123456789ab\n", False),
        ("sk-0123456789abé", False),
        ("sk-" + "x" * 509, True),
        ("sk-" + "x" * 510, False),
    ],
)
def test_what_may_be_chosen(text: str, good: bool) -> None:
    assert credentials.is_choosable(text) is good


@settings(max_examples=200)
@given(st.text())
def test_any_text_has_an_id(text: str) -> None:
    assert credentials.is_id(credentials.key_id(text))

"""Surface numbers see what they are named for, are finite for every text, and read a text in one pass."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.features.surface import MOST_CHARACTERS, NAMES, surface


def told(text: str) -> dict[str, float]:
    return dict(zip(NAMES, surface(text).tolist(), strict=True))


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.characters(), max_size=200))
def test_every_text_has_eleven_finite_numbers_of_at_least_zero(text: str) -> None:
    found = surface(text)
    assert found.shape == (len(NAMES),) == (11,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert (found >= 0).all()


@pytest.mark.parametrize(
    ("name", "more", "less"),
    [
        ("log_characters", "a long sentence of many words", "a word"),
        ("line_breaks", "one\ntwo\nthree", "one two three"),
        ("digits", "12 + 34", "some words"),
        ("punctuation", "Well, yes. No!", "well yes no"),
        ("brackets_and_operators", "f(x) = [1]", "plain words"),
        ("log_question_marks", "why? how?", "because so"),
        ("log_options", "Pick one\nA. yes\n  (b) no", "Pick one yes no"),
        ("log_words", "one two three", "one"),
        ("letters_a_word", "internationalisation", "a b c"),
        ("code_words", "def f: return", "a tale of old"),
        ("backslashes", r"\alpha \beta", "alpha beta"),
    ],
)
def test_each_number_sees_what_it_is_named_for(name: str, more: str, less: str) -> None:
    assert told(more)[name] > told(less)[name]


def test_each_option_is_counted_once_whatever_stands_between() -> None:
    text = "Which?\n\n\n A) one\n \n\t(B) two\r\nc. three\nd: four\nnot e) this\n"
    assert told(text)["log_options"] == pytest.approx(np.log1p(4))


def test_white_space_round_a_text_is_no_part_of_it() -> None:
    assert told("\n\n  Hello there \n") == told("Hello there")


def test_what_lies_beyond_the_length_that_is_read_makes_no_difference() -> None:
    head = "word " * (MOST_CHARACTERS // 5)
    assert told(head + "?" * 50) == told(head)


HOSTILE = """
import resource
from routeiq_routing_ml.features.surface import surface
surface("warm")
resource.setrlimit(resource.RLIMIT_CPU, (int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2])) + 3,) * 2)
for white in ("\\n", "\\n ", "\\r\\n", " \\n\\t", "\\n(", "\\x85", "\\u2028"):
    for _ in range(5):
        surface("x" + white * (19_000 // len(white)) + "x")
print("done")
"""


def test_long_runs_of_empty_lines_are_read_in_one_pass() -> None:
    """A search that begins anew at each of 19,000 empty lines takes some ten seconds for one of these texts."""
    run = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, text=True, timeout=100)
    assert run.stdout.strip() == "done", run.stderr or "out of CPU time"

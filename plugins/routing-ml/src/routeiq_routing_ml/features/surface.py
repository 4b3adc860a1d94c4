"""What a text looks like from far away: length, lines, digits, punctuation, code, formulas, options to choose from.

Eleven numbers that need no vocabulary, so they also say something about topics nobody has seen.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "log_characters",
    "line_breaks",
    "digits",
    "punctuation",
    "brackets_and_operators",
    "log_question_marks",
    "log_options",
    "log_words",
    "letters_a_word",
    "code_words",
    "backslashes",
)
MOST_CHARACTERS = 20_000
_DIGITS = re.compile(r"[0-9]")
_PUNCTUATION = re.compile(r"[.,;:!?]")
_OPERATORS = re.compile(r"[{}\[\]()=<>+*/\\^_$]")
_OPTIONS = re.compile(r"(?m)^[^\S\n]*\(?[A-Ea-e][).:]")  # not \s: across lines the search would be quadratic
_CODE = re.compile(r"\b(?:def|return|import|class|function|select|void|const|let|var)\b", re.IGNORECASE)


def surface(text: str) -> NDArray[np.float32]:
    """The numbers of `NAMES`; shape (11,). Shares are counted against the length, so long texts do not drown them."""
    text = text[:MOST_CHARACTERS].strip()
    length = max(len(text), 1)
    words = text.split()
    count = max(len(words), 1)
    return np.array(
        [
            np.log1p(len(text)),
            50 * text.count("\n") / length,
            5 * len(_DIGITS.findall(text)) / length,
            10 * len(_PUNCTUATION.findall(text)) / length,
            10 * len(_OPERATORS.findall(text)) / length,
            np.log1p(text.count("?")),
            np.log1p(len(_OPTIONS.findall(text))),
            np.log1p(len(words)),
            sum(map(len, words)) / count / 5,
            min(1.0, len(_CODE.findall(text)) / 2),
            20 * text.count("\\") / length,
        ],
        dtype=np.float32,
    )

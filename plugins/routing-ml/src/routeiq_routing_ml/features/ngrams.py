"""Hashed n-grams of a text: words, pairs of words, and runs of 3 to 5 bytes, counted in a fixed number of buckets.

Feature hashing (Weinberger et al. 2009, arXiv 0902.2206) with polynomial rolling hashes, vectorised over the text's
bytes. Weights and projections are fitted elsewhere.
"""

from __future__ import annotations

import unicodedata

import numpy as np
from numpy.typing import NDArray

_BITS = 14
BUCKETS = 1 << _BITS
"""Buckets of each of the two blocks (words, letters)."""
MOST_CHARACTERS = 4096
"""A longer text is read at its head and its tail: routing looks at how a task begins and how it ends."""
_TAIL = 1024
_LETTER_RUNS = (3, 4, 5)
_BASE = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_PAIR = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(64 - _BITS)
_POWERS = np.cumprod(np.full(MOST_CHARACTERS * 4 + 8, _BASE, dtype=np.uint64), dtype=np.uint64)

Counts = tuple[NDArray[np.int64], NDArray[np.float32]]


def normalised(text: str) -> str:
    """The text without differences that should not change a route: case, kinds of white space, Unicode forms."""
    if len(text) > MOST_CHARACTERS:
        text = text[: MOST_CHARACTERS - _TAIL] + " " + text[-_TAIL:]
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def counts(text: str) -> tuple[Counts, Counts]:
    """Buckets and how often each was hit, of the words' block and of the letters' block; `text` is normalised."""
    data = np.frombuffer(f" {text} ".encode("utf-8", "replace"), dtype=np.uint8).astype(np.uint64)
    if len(data) >= len(_POWERS):  # NFKC may lengthen a text
        data = data[: len(_POWERS) - 1].copy()
        data[-1] = ord(" ")  # words are found between spaces
    prefix = np.zeros(len(data) + 1, dtype=np.uint64)
    # prefix[i] = sum of data[j] * BASE^(j+1), j < i: the hash of a run is a difference, shifted to a common power
    np.cumsum((data + np.uint64(1)) * _POWERS[: len(data)], out=prefix[1:], dtype=np.uint64)
    return _counted(_words(data, prefix)), _counted(_letters(prefix))


def _letters(prefix: NDArray[np.uint64]) -> NDArray[np.uint64]:
    runs = []
    for length in _LETTER_RUNS:
        if len(prefix) > length:
            runs.append(_shifted(prefix[length:] - prefix[:-length], np.arange(len(prefix) - length)))
    return np.concatenate(runs) if runs else np.zeros(0, dtype=np.uint64)


def _words(data: NDArray[np.uint64], prefix: NDArray[np.uint64]) -> NDArray[np.uint64]:
    inside = _WORD[data.astype(np.uint8)]
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    starts, ends = edges[0::2], edges[1::2]  # the text has a space at both ends
    words = _shifted(prefix[ends] - prefix[starts], starts)
    pairs = words[:-1] * _PAIR + words[1:]
    return np.concatenate([words, pairs])


def _shifted(hashes: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes as if each run began at the same place: multiplied up to one common power of the base."""
    return hashes * _POWERS[len(_POWERS) - 1 - starts]


def _counted(hashes: NDArray[np.uint64]) -> Counts:
    mixed = (hashes ^ (hashes >> np.uint64(29))) * _MIX
    buckets, hits = np.unique((mixed >> _SHIFT).astype(np.int64), return_counts=True)
    return buckets, hits.astype(np.float32)


def _word_bytes() -> NDArray[np.bool_]:
    """Bytes that words are made of: ASCII letters, digits, and every byte of a character beyond ASCII."""
    table = np.zeros(256, dtype=np.bool_)
    table[[*range(ord("0"), ord("9") + 1), *range(ord("a"), ord("z") + 1), ord("_"), *range(128, 256)]] = True
    return table


_WORD = _word_bytes()

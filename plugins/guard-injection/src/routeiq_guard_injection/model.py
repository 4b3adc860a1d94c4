"""The classifier: weights of hashed n-grams, read from a file whose digest is known, and what they say of a piece.

How the weights come about is in `training`; nothing here needs it.
"""

from __future__ import annotations

import hashlib
import io
import json
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routeiq_guard_injection.reading import BUCKETS, Reading
from routeiq_sdk import PluginError

NAME = "guard-injection"
WEIGHTS = "weights.npz"
SHA256 = "067c9884a12f25232f28ab8261d468fe905f16e67cf5548e4912386545e69b00"
"""Digest of the shipped weights; `python -m routeiq_guard_injection.training` prints the new one."""
WINDOW = 40
"""Words judged together."""
STRIDE = 20


class Model:
    """A linear model: `logit = bias + (sum of weights of words) / sqrt(words) + (sum of weights of characters) /
    sqrt(characters)`, the highest of the windows of a piece."""

    def __init__(self, words: NDArray[np.float32], characters: NDArray[np.float32], bias: float) -> None:
        self.words = words
        self.characters = characters
        self.bias = bias

    def logit(self, reading: Reading) -> float:
        """The log odds that the piece holds prompt injection."""
        count = len(reading.starts)
        if count == 0:
            return self.bias
        first, last = windows(count)
        total = np.zeros(len(first))
        for reach, buckets in zip((0, 1, 2, 2), reading.words(), strict=True):
            sums = _sums(self.words[buckets])
            end = np.clip(last - reach, 0, len(buckets))
            total += sums[np.maximum(end, np.minimum(first, len(buckets)))] - sums[np.minimum(first, len(buckets))]
        total /= np.sqrt(last - first)
        grams = _sums(self.characters[reading.characters()])
        begin, end = reading.starts[first], reading.ends[last - 1]
        begin_gram = np.minimum(begin, len(grams) - 1)
        end_gram = np.clip(end - 3, begin_gram, len(grams) - 1)
        total += (grams[end_gram] - grams[begin_gram]) / np.sqrt(np.maximum(end - begin, 1))
        return float(total.max()) + self.bias


def windows(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First words, and words after the last, of the windows over so many words."""
    first = np.arange(0, max(1, count - WINDOW + STRIDE), STRIDE, dtype=np.int64)
    return first, np.minimum(first + WINDOW, count)


def shipped() -> Model:
    """The model in the wheel. Raises `PluginError` when the file is not the one this code was released with."""
    return loaded(files(__package__).joinpath(WEIGHTS).read_bytes(), SHA256)


def loaded(content: bytes, sha256: str) -> Model:
    """The model that these bytes are. The digest is that of the bytes that are used."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise PluginError(
            NAME, f"{WEIGHTS} has the sha256 {found}, not {sha256}.", mend=f"install routeiq-{NAME} again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        meta: dict[str, Any] = json.loads(bytes(arrays["meta"]).decode())
        words, characters = (
            arrays[name].astype(np.float32) * np.float32(meta["scale"][name]) for name in ("words", "characters")
        )
    if words.shape != (BUCKETS,) or characters.shape != (BUCKETS,):
        raise PluginError(NAME, f"{WEIGHTS} has another shape than this code.", mend=f"install routeiq-{NAME} again")
    return Model(words, characters, float(meta["bias"]))


def _sums(values: NDArray[np.float32]) -> NDArray[np.float64]:
    sums = np.zeros(len(values) + 1)
    np.cumsum(values, out=sums[1:], dtype=np.float64)
    return sums

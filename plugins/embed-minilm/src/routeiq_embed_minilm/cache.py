"""Remembers vectors of texts seen before, by a digest of the text. The text itself is never kept.

When a vector is computed is `embedder`'s business.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Key = bytes


def key_of(text: bytes) -> Key:
    """A digest of 32 bytes, long enough that nobody finds two texts with one."""
    return hashlib.blake2b(text, digest_size=32).digest()


class VectorCache:
    """At most `entries` vectors; the one unused for longest goes first. For several threads."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._vectors: OrderedDict[Key, npt.NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, key: Key) -> npt.NDArray[np.float32] | None:
        """The vector of a text, or `None` when it is not known. Do not write to it."""
        with self._lock:
            vector = self._vectors.get(key)
            if vector is not None:
                self._vectors.move_to_end(key)
            return vector

    def put(self, key: Key, vector: npt.NDArray[np.float32]) -> None:
        """Remember a copy of `vector`: the array it is a row of shall not live as long as it."""
        if self._entries == 0:
            return
        with self._lock:
            self._vectors[key] = vector.copy()
            self._vectors.move_to_end(key)
            if len(self._vectors) > self._entries:
                self._vectors.popitem(last=False)

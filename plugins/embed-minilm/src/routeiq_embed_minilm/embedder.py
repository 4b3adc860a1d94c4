"""The embedder: texts in, unit vectors out. Opens the network when it is first needed, batches, and remembers.

How a text becomes token numbers is in `wordpiece`, how these become a vector in `network`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from routeiq_embed_minilm.cache import Key, VectorCache, key_of
from routeiq_embed_minilm.config import DIMENSIONS, MiniLMConfig
from routeiq_embed_minilm.model_file import model_bytes

if TYPE_CHECKING:
    from routeiq_embed_minilm.network import Network, Vectors
    from routeiq_embed_minilm.wordpiece import Words

CHARACTERS_A_TOKEN = 32
"""A text is cut after this many characters for each token that is read, so that a pasted book costs no more than its
first pages. The longest token of the vocabulary has 18; only runs of white space and endless words come near."""
PREPROCESSING = 1
"""Raise it when the same text would be cut, tokenised or pooled in another way: vectors of both must not meet."""
_TOKENS_A_RUN = 512
"""Padding included. Larger runs cost more a text, not less: their activations leave the processor's caches."""


class MiniLM:
    """all-MiniLM-L6-v2 (arXiv 1908.10084, 2002.10957): 384 dimensions, mean of the last layer, unit length.

    The cosine of two vectors is their dot product. Calls may come from several threads; the first one opens the
    network (0.5 s, 200 MB).
    """

    def __init__(self, config: MiniLMConfig) -> None:
        self._config = config
        self._characters = config.max_tokens * CHARACTERS_A_TOKEN
        self._cache = VectorCache(config.cache)
        self._opening = threading.Lock()
        self._open: tuple[Words, Network] | None = None

    @property
    def fingerprint(self) -> str:
        """Digest of the network's file and of what is done to a text before; known without opening it."""
        config = self._config
        said = f"{config.sha256} {config.max_tokens} {self._characters} {PREPROCESSING}"
        return f"minilm-{hashlib.sha256(said.encode()).hexdigest()[:32]}"

    @property
    def dimensions(self) -> int:
        """384."""
        return DIMENSIONS

    def open(self) -> None:
        """Load tokenizer and network, once. Raises `PluginError` when a file is missing, damaged, or another one."""
        self._opened()

    def close(self) -> None:
        """Let go of the network's memory; the next `embed` opens it again."""
        with self._opening:
            self._open = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector of length 1 a text, in their order: float32 of shape (texts, 384).

        Any text will do: an empty one has a vector too, and what is not valid Unicode is left out of it. Raises
        `PluginError` as `open` does.
        """
        import numpy as np

        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        wanted: dict[Key, tuple[str, list[int]]] = {}
        for place, text in enumerate(texts):
            read = text[: self._characters].encode("utf-8", "ignore")
            key = key_of(read)
            if (known := self._cache.get(key)) is not None:
                vectors[place] = known
            else:
                wanted.setdefault(key, (read.decode(), []))[1].append(place)
        if not wanted:
            return vectors
        words, network = self._opened()
        rows = words.numbers([read for read, _ in wanted.values()])
        asked = [(row, key, places) for row, (key, (_, places)) in zip(rows, wanted.items(), strict=True)]
        asked.sort(key=lambda one: len(one[0]))
        for batch in _batches(asked, self._config.batch):
            made = network.vectors([row for row, _, _ in batch])
            for vector, (_, key, places) in zip(made, batch, strict=True):
                vectors[places] = vector
                self._cache.put(key, vector)
        return vectors

    def _opened(self) -> tuple[Words, Network]:
        opened = self._open
        if opened is not None:
            return opened
        with self._opening:
            if self._open is None:
                self._open = self._load()
            return self._open

    def _load(self) -> tuple[Words, Network]:
        from routeiq_embed_minilm.network import Network
        from routeiq_embed_minilm.wordpiece import Words

        words = Words(self._config.max_tokens)
        model = model_bytes(self._config.model, self._config.sha256)
        probe = [words.size - 1] * self._config.max_tokens
        return words, Network(model, threads=self._config.threads, probe=probe)


Asked = tuple[list[int], Key, list[int]]


def _batches(asked: Sequence[Asked], most: int) -> Iterator[Sequence[Asked]]:
    """Cut a list that is sorted by length: at most `most` rows a batch, and few enough that all of it, padded to its
    last row, stays within `_TOKENS_A_RUN`; one long row is a batch of its own."""
    start = 0
    for end, (row, _, _) in enumerate(asked):
        if end > start and (end - start == most or (end - start + 1) * len(row) > _TOKENS_A_RUN):
            yield asked[start:end]
            start = end
    if start < len(asked):
        yield asked[start:]

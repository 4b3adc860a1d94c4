"""Embeds prompts off the event loop: one thread, a deadline, a cache by digest of the prompt, never the prompt itself.

What stands in when no vector comes in time is decided by the caller.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from routeiq_sdk import Embedder

_MOST_WAITING = 16
"""More prompts than this are not queued: they would be late anyway."""
_CLOSED = "the embedder is no longer asked: this configuration is on its way out"

Vector = NDArray[np.float32]


class EmbeddingFailed(Exception):
    """No vector in time. The text says why, and nothing of the prompt."""


class Embedding:
    """One embedder as requests see it. Close it when nobody asks any more."""

    def __init__(self, embedder: Embedder, *, seconds: float, cache: int) -> None:
        self._embedder = embedder
        self._seconds = seconds
        self._most = cache
        self._kept: OrderedDict[bytes, Vector] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Future[Vector]] = {}
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="routing-ml-embed")

    @property
    def fingerprint(self) -> str:
        """The embedder's own."""
        return self._embedder.fingerprint

    async def vector(self, text: str) -> Vector:
        """The vector (1, e) of a text. Raises `EmbeddingFailed`.

        Equal prompts at once are embedded once; one that comes too late for its request is kept for the next.
        """
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        found = self._kept.get(digest)
        if found is not None:
            self._kept.move_to_end(digest)
            return found
        running = self._under_way.get(digest)
        if running is None:
            if self._closed:
                raise EmbeddingFailed(_CLOSED)
            if len(self._under_way) >= _MOST_WAITING:
                raise EmbeddingFailed("the embedder is busy")
            running = asyncio.get_running_loop().run_in_executor(self._thread, self._embed, text)
            self._under_way[digest] = running
            running.add_done_callback(lambda done: self._arrived(digest, done))
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(running)
        except TimeoutError:
            raise EmbeddingFailed(f"the embedder took longer than {self._seconds:g} s") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not running.cancelled() or (task is not None and task.cancelling()):
                raise  # this request was given up
            raise EmbeddingFailed(_CLOSED) from None
        except EmbeddingFailed:
            raise
        except Exception as error:
            raise EmbeddingFailed(f"the embedder failed: {type(error).__name__}") from None

    def _embed(self, text: str) -> Vector:
        vector = np.asarray(self._embedder.embed([text]), dtype=np.float32)
        if vector.shape != (1, self._embedder.dimensions) or not np.isfinite(vector).all():
            raise EmbeddingFailed("the embedder gave no finite vector of its length")
        return vector

    def _arrived(self, digest: bytes, done: asyncio.Future[Vector]) -> None:
        self._under_way.pop(digest, None)
        if done.cancelled() or done.exception() is not None or not self._most:
            return
        self._kept[digest] = done.result()
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def close(self) -> None:
        """Take no more prompts; what runs is let go of."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

"""An embedder's vectors for training: the embedder found by name, asked in batches, or a file of its vectors checked.

How the gateway asks embedders while it serves is the business of `serving.embedding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.training.table import TrainingError
from routeiq_routing_ml.training.trainer import Progress
from routeiq_sdk import Embedder, PluginError

GROUP: Final = "routeiq.embedders"
HASHING: Final = "hashing"
"""What stands for no outer embedder at all."""
ALIKE: Final = 0.98
"""The least cosine between a vector from a file and the embedder's own of the same text."""
_BATCH: Final = 64
_CHECKED: Final = 3

Vectors = NDArray[np.float32]


class _Offered:
    """Takes what a `register_embedders` hook offers."""

    def __init__(self) -> None:
        self.by_name: dict[str, Embedder] = {}

    def add_embedder(self, name: str, embedder: Embedder) -> None:
        if name in self.by_name:
            raise PluginError(name, "two embedders of this name are offered.")
        self.by_name[name] = embedder


def embedder(name: str) -> Embedder | None:
    """The installed embedder called `name`, with its default settings; `None` for `hashing`. Raises `TrainingError`."""
    if name == HASHING:
        return None
    for point in entry_points(group=GROUP):
        if point.name not in (name, f"embed-{name}"):
            continue
        plugin_class = point.load()
        offered = _Offered()
        plugin_class(plugin_class.Config()).register_embedders(offered)
        if name in offered.by_name:
            return offered.by_name[name]
    mend = f"pip install routeiq-embed-{name}, or use --embedder {HASHING}."
    raise TrainingError(f"no embedder {name!r} is installed.", mend)


def embed(asked: Embedder, texts: Sequence[str], progress: Progress) -> Vectors:
    """Vectors (n, e) of texts, in their order. Raises `TrainingError` when the embedder breaks its promise."""
    vectors = np.empty((len(texts), asked.dimensions), np.float32)
    progress("embedding", 0, len(texts))
    for start in range(0, len(texts), _BATCH):
        part = np.asarray(asked.embed(texts[start : start + _BATCH]), np.float32)
        place = slice(start, start + _BATCH)
        if part.shape != vectors[place].shape or not np.isfinite(part).all():
            raise TrainingError(
                f"the embedder gave vectors of shape {part.shape}, or not finite ones.", "upgrade it, or use another."
            )
        vectors[place] = part
        progress("embedding", min(start + _BATCH, len(texts)), len(texts))
    return vectors


def from_file(
    path: Path, asked: Embedder, name: str, texts: Sequence[str], chosen: NDArray[np.intp], rows: int
) -> Vectors:
    """Vectors (n, e) of `texts` from a .npy file with one vector for each of the data's `rows`.

    `chosen` (n,) are the rows of the texts. Raises `TrainingError` when the file holds something else: its first
    vectors are compared with the embedder's own.
    """
    again = f"write the vectors of {name} of all rows, in the order of the data, with numpy.save."
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise TrainingError(f"{path}: no such file.", again) from None
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(f"{path}: not an array of numbers: {_short(error)}", again) from None
    if not isinstance(stored, np.ndarray) or stored.dtype.kind != "f" or stored.shape != (rows, asked.dimensions):
        found = f"{stored.dtype} of shape {stored.shape}" if isinstance(stored, np.ndarray) else "an archive"
        wanted = f"{rows} vectors of {asked.dimensions} floating point numbers"
        raise TrainingError(f"{path}: {found}, where {wanted} are needed.", again)
    vectors = np.asarray(stored[chosen], np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise TrainingError(f"{path}: the vector of row {chosen[bad[0]] + 1} is not finite.", again)
    first = list(texts[:_CHECKED])
    for row, own in enumerate(np.asarray(asked.embed(first), np.float32)):
        cosine = _cosine(vectors[row], own)
        if cosine < ALIKE:
            compared = f"that of row {chosen[row] + 1} has the cosine {cosine:.2f} with {name}'s own."
            raise TrainingError(f"{path}: these are not {name}'s vectors: {compared}", again)
    return vectors


def _cosine(left: NDArray[Any], right: NDArray[Any]) -> float:
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / lengths if lengths > 0 else 0.0


def _short(error: Exception) -> str:
    return f"{type(error).__name__}." if isinstance(error, OSError) else f"{str(error).splitlines()[0][:120]}."

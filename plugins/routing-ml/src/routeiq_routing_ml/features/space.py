"""The space in which prompts are compared: hashing, an embedder's vectors and surface numbers, joined and shortened.

One fitted `Space` makes the same vector at training and at serving. Predicting from vectors is the scorers' business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.hashing import Hashing, unit
from routeiq_routing_ml.features.surface import NAMES, surface

DIMENSIONS = 192
"""Most dimensions of the space: distances in it are what kNN and kernels see."""
COARSE = 64
"""Leading dimensions that trees split on."""
MOST_FITTED = 20_000
"""Weights and axes of a space are those of so many texts at most: more change them little and cost gigabytes."""
_SURFACE_WEIGHT = 0.1
_CLIP = 3.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Points:
    """Texts as vectors. `z` is (n, d), rows of unit length; `s` is (n, 11), standardised, clipped surface numbers."""

    z: Floats
    s: Floats

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, rows: Any) -> Points:
        return Points(self.z[rows], self.s[rows])

    @property
    def coarse(self) -> Floats:
        """What trees split on: the leading dimensions and the surface numbers; (n, up to 75)."""
        return np.hstack([self.z[:, :COARSE], self.s])

    @property
    def wide(self) -> Floats:
        """What linear models and small networks read: everything, surface numbers in the weight of the space."""
        return np.hstack([self.z, _SURFACE_WEIGHT * self.s])


@dataclass(frozen=True, slots=True)
class Space:
    """A fitted space. `embedded` is the length of the outer embedder's vectors, 0 where hashing stands alone."""

    hashing: Hashing
    mean: Floats
    deviation: Floats
    axes: Floats
    embedded: int = 0

    @property
    def dimensions(self) -> int:
        """Length of `z`."""
        return int(self.axes.shape[1])

    def points(self, texts: Sequence[str], embedded: NDArray[Any] | None = None) -> Points:
        """The vectors of texts; `embedded` is (n, self.embedded) from the embedder the space was fitted with.

        Raises `ValueError` when `embedded` has another shape or is not finite.
        """
        raw = np.array([surface(text) for text in texts], dtype=np.float32).reshape(len(texts), len(NAMES))
        s = np.clip((raw - self.mean) / self.deviation, -_CLIP, _CLIP)
        joined = _joined(self.hashing.embed(texts), s, _checked(embedded, len(texts), self.embedded))
        return Points(unit(joined @ self.axes), s)

    @classmethod
    def fit(cls, texts: Sequence[str], embedded: NDArray[Any] | None = None, seed: int = 0) -> Space:
        """Fit on training texts and, if there is an embedder, its vectors of them (n, e). Of very many, a part."""
        if len(texts) > MOST_FITTED:
            rows = np.sort(np.random.default_rng(seed).permutation(len(texts))[:MOST_FITTED])
            texts = [texts[row] for row in rows]
            embedded = None if embedded is None else np.asarray(embedded)[rows]
        hashing = Hashing.fit(texts, seed=seed)
        raw = np.array([surface(text) for text in texts], dtype=np.float32)
        mean, deviation = raw.mean(axis=0), raw.std(axis=0)
        deviation = np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)
        s = np.clip((raw - mean) / deviation, -_CLIP, _CLIP)
        width = 0 if embedded is None else int(np.asarray(embedded).shape[1])
        joined = _joined(hashing.embed(texts), s, _checked(embedded, len(texts), width))
        _, _, right = np.linalg.svd(joined, full_matrices=False)
        axes = np.ascontiguousarray(right[:DIMENSIONS].T, dtype=np.float32)
        return cls(hashing, mean.astype(np.float32), deviation, axes, width)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What an artifact keeps of it."""
        own = {"space.mean": self.mean, "space.deviation": self.deviation, "space.axes": self.axes}
        return {**self.hashing.arrays(), **own}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Space:
        """The space of `arrays()`. Raises `KeyError` or `ValueError` when they do not fit together."""
        hashing = Hashing.from_arrays(arrays)
        mean, deviation, axes = (
            np.asarray(arrays[f"space.{name}"], np.float32) for name in ("mean", "deviation", "axes")
        )
        width = axes.shape[0] - hashing.dimensions - len(NAMES) if axes.ndim == 2 else -1
        if mean.shape != (len(NAMES),) or deviation.shape != mean.shape or not (deviation > 0).all() or width < 0:
            raise ValueError(f"space arrays of shapes {mean.shape}, {deviation.shape} and {axes.shape}")
        return cls(hashing, mean, deviation, np.ascontiguousarray(axes), width)

    def fingerprint(self, embedder: str = "") -> str:
        """A digest of everything that makes a vector; `embedder` is the outer embedder's own fingerprint."""
        digest = hashlib.sha256(embedder.encode())
        for name, array in sorted(self.arrays().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:32]


def _joined(hashed: Floats, s: Floats, embedded: Floats | None) -> Floats:
    parts = [hashed, _SURFACE_WEIGHT * s]
    if embedded is not None:
        parts.insert(0, unit(embedded))
    return unit(np.hstack(parts).astype(np.float32, copy=False))


def _checked(embedded: NDArray[Any] | None, rows: int, width: int) -> Floats | None:
    if width == 0:
        return None
    if embedded is None:
        raise ValueError("this space needs an embedder's vectors beside the texts")
    vectors = np.asarray(embedded, dtype=np.float32)
    if vectors.shape != (rows, width) or not np.isfinite(vectors).all():
        raise ValueError(f"{rows} finite vectors of length {width} are needed; their shape is {vectors.shape}")
    return vectors

"""The hashing embedder: weighted n-gram counts, projected to a short dense vector. It downloads nothing.

Weights are inverse document frequencies; the projection is a truncated singular value decomposition fitted on the
training texts (latent semantic analysis, Deerwester et al. 1990). Counting is in `ngrams`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.ngrams import BUCKETS, Counts, counts, normalised

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DIMENSIONS = 128
_RAREST = 2
_ITERATIONS = 4
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Hashing:
    """A fitted hashing embedder. `idf` is (2 x BUCKETS,), `projection` (2 x BUCKETS, dimensions)."""

    idf: NDArray[np.float32]
    projection: NDArray[np.float32]

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""
        return int(self.projection.shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, dimensions); the zero vector for a text without a single known n-gram."""
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            for block, found in enumerate(counts(normalised(text))):
                columns, weights = _weighted(found, self.idf, block)
                if len(columns):
                    out[row] += weights @ self.projection[columns]
        return unit(out)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What an artifact keeps of it: half precision is plenty for a direction."""
        return {"hashing.idf": self.idf.astype(np.float16), "hashing.projection": self.projection.astype(np.float16)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Hashing:
        """The embedder of `arrays()`. Raises `ValueError` when the shapes do not fit."""
        idf = np.asarray(arrays["hashing.idf"], dtype=np.float32)
        projection = np.ascontiguousarray(arrays["hashing.projection"], dtype=np.float32)
        if idf.shape != (2 * BUCKETS,) or projection.ndim != 2 or len(projection) != len(idf):
            raise ValueError(f"hashing arrays of shapes {idf.shape} and {projection.shape}")
        return cls(idf, projection)

    @classmethod
    def fit(cls, texts: Sequence[str], dimensions: int = DIMENSIONS, seed: int = 0) -> Hashing:
        """Fit weights and projection on texts. Few texts give a shorter vector: never more than texts - 1."""
        from sklearn.decomposition import TruncatedSVD

        matrix = count_matrix(texts)
        frequency = np.asarray((matrix > 0).sum(axis=0)).ravel()
        idf = (np.log((1 + len(texts)) / (1 + frequency)) + 1).astype(np.float32)
        idf[frequency < min(_RAREST, len(texts))] = 0.0
        weighted = _weigh(matrix, idf)
        size = max(1, min(dimensions, len(texts) - 1))
        solver = TruncatedSVD(size, n_iter=_ITERATIONS, random_state=seed).fit(weighted)
        return cls(idf, np.ascontiguousarray(solver.components_.T, dtype=np.float32))


def count_matrix(texts: Sequence[str]) -> csr_matrix:
    """Counts of all texts as one sparse matrix (n, 2 x BUCKETS)."""
    from scipy.sparse import csr_matrix

    columns, hits, ends = [], [], [0]
    for text in texts:
        for block, (buckets, found) in enumerate(counts(normalised(text))):
            columns.append((buckets + block * BUCKETS).astype(np.int32))
            hits.append(found)
        ends.append(ends[-1] + len(columns[-1]) + len(columns[-2]))
    shape = (len(texts), 2 * BUCKETS)
    return csr_matrix((np.concatenate(hits), np.concatenate(columns), np.asarray(ends)), shape=shape, dtype=np.float32)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)
    return scaled


def _weighted(found: Counts, idf: NDArray[np.float32], block: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    columns = found[0] + block * BUCKETS
    weights = (1 + np.log(found[1])) * idf[columns]
    length = float(np.sqrt(weights @ weights))
    return columns, weights / length if length > 0 else weights


def _weigh(matrix: csr_matrix, idf: NDArray[np.float32]) -> csr_matrix:
    """The whole matrix weighted as `_weighted` weighs one row: each block on its own."""
    from scipy.sparse import diags, hstack

    weighted = matrix.copy()
    weighted.data = 1 + np.log(weighted.data)
    weighted = (weighted @ diags(idf)).tocsr()
    blocks = []
    for block in (weighted[:, :BUCKETS], weighted[:, BUCKETS:]):
        lengths = np.sqrt(np.asarray(block.multiply(block).sum(axis=1)).ravel())
        blocks.append(diags(1 / np.where(lengths > 0, lengths, 1)) @ block)
    return hstack(blocks).tocsr()

"""Opens artifacts for commands: verified with the keys of the data folder, unpacked and self-tested.

The gateway has a loader of its own in `serving`, with a memory of versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.artifact import estimators, keys, loader
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.loader import Artifact
from routeiq_routing_ml.model.packing import Packed, unpack
from routeiq_routing_ml.scorers.base import Scorer
from routeiq_routing_ml.scorers.estimator import Estimator
from routeiq_routing_ml.training import embedding
from routeiq_routing_ml.training.table import TrainingError
from routeiq_routing_ml.training.trainer import Progress
from routeiq_sdk import Embedder


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified artifact and its routers."""

    folder: Path
    artifact: Artifact
    packed: Packed

    def embedder(self) -> Embedder | None:
        """The embedder that the main router needs, `None` for hashing. Raises `TrainingError`."""
        name = self.packed.embedder
        if name is None:
            return None
        found = embedding.embedder(name)
        if found is not None and found.fingerprint != self.packed.fingerprint:
            raise TrainingError(
                f"the installed embedder {name!r} is not the one that the router was trained with.",
                "install the version it was trained with, or train the router again.",
            )
        return found

    def vectors(
        self, texts: Sequence[str], features: Path | None, chosen: NDArray[np.intp], rows: int, progress: Progress
    ) -> NDArray[np.float32] | None:
        """What the main router needs beside texts: the embedder's vectors (n, e), asked or from a file `features` of
        all `rows`, of which the texts are the `chosen` (n,). Raises `TrainingError`.
        """
        found = self.embedder()
        if found is None or self.packed.embedder is None:
            if features is not None:
                raise TrainingError("the router takes no vectors.", "leave --features out.")
            return None
        if features is None:
            return embedding.embed(found, texts, progress)
        return embedding.from_file(features, found, self.packed.embedder, texts, chosen, rows)


def verified(folder: Path, data_dir: Path, trust: Sequence[Path]) -> Artifact:
    """An artifact that a trusted key signed. Raises `ArtifactError`."""
    return loader.load(folder, keys.trusted(data_dir / "keys", trust))


def opened(folder: Path, data_dir: Path, trust: Sequence[Path], allow: Sequence[str] = ()) -> Opened:
    """Verify, unpack and self-test. Raises `ArtifactError`."""
    artifact = verified(folder, data_dir, trust)

    def custom() -> Scorer:
        if artifact.estimators is None:
            raise ValueError("its estimator is missing")
        return Estimator(estimators.load(artifact.estimators, allow), len(artifact.manifest.pool))

    try:
        return Opened(folder, artifact, unpack(artifact.manifest, artifact.arrays, custom))
    except ValueError as error:
        raise ArtifactError(folder, f"it cannot be used: {error}.", "train the router again.") from None

"""One signer and one small artifact, made as the trainer makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.artifact import keys, writer
from routeiq_routing_ml.artifact.manifest import Manifest


@dataclass(frozen=True)
class Signer:
    key: keys.SigningKey
    trusted: keys.TrustedKeys


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    folder = tmp_path_factory.mktemp("keys")
    return Signer(keys.signing_key(folder), keys.trusted(folder))


@pytest.fixture(scope="session")
def manifest() -> Callable[..., Manifest]:
    def make(**changes: Any) -> Manifest:
        fields: dict[str, Any] = {
            "strategy": "knn",
            "version": 1,
            "created": "2026-01-31T12:00:00+00:00",
            "trainer": "routeiq-routing-ml 0.1.0",
            "features": {"kind": "hashed", "fingerprint": "ab12", "dimensions": 4},
            "pool": ("fast", "strong"),
            "probes": ({"text": "hello", "scores": [0.25, 0.5]},),
        }
        return Manifest.model_validate(fields | changes)

    return make


@pytest.fixture
def publish(tmp_path: Path, signer: Signer, manifest: Callable[..., Manifest]) -> Callable[..., Path]:
    """Write an artifact into `router` of the test's folder and return that."""

    def write(
        arrays: Mapping[str, Any] | None = None,
        extra: Mapping[str, bytes] | None = None,
        key: keys.SigningKey = signer.key,
        folder: Path = tmp_path / "router",
        **changes: Any,
    ) -> Path:
        given = {"centres": np.arange(8, dtype="f2").reshape(2, 4)} if arrays is None else arrays
        writer.write(folder, manifest(**changes), given, key, extra)
        return folder

    return write

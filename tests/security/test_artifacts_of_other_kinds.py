"""The other files that a model is read from: the embedder's network, a trainer's vectors, tables and estimators. None
runs what is in it; and an artifact that needs what is not installed is a problem and no crash."""

from __future__ import annotations

import hashlib
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from routeiq_embed_minilm.config import WHEEL_SHA256
from routeiq_embed_minilm.model_file import model_bytes
from routeiq_embed_minilm.network import Network
from routeiq_routing_ml.artifact.keys import generate
from routeiq_routing_ml.serving.loading import Routers
from routeiq_routing_ml.training.embedding import from_file
from routeiq_routing_ml.training.reading import read_table
from routeiq_routing_ml.training.sources import KINDS
from routeiq_routing_ml.training.table import TrainingError
from routeiq_sdk import PluginError

from .hostile_models import corpus
from .trained_routers import custom_router, publish, router

EVERY = 9


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def test_a_file_in_place_of_the_embedders_network_is_refused_by_its_digest(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "model.onnx"
    for name, data in corpus(canary):
        path.write_bytes(data)
        with pytest.raises(PluginError, match="has the sha256") as caught:
            model_bytes(path, WHEEL_SHA256)
        assert "\n" not in str(caught.value), name
    assert not canary.exists()


def test_a_network_whose_digest_was_written_down_by_mistake_runs_nothing(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "model.onnx"
    tried = 0
    for name, data in islice(corpus(canary), 0, None, EVERY):
        path.write_bytes(data)
        content = model_bytes(path, hashlib.sha256(data).hexdigest())
        with pytest.raises(PluginError, match="onnxruntime cannot load") as caught:
            Network(content, threads=1, probe=[1, 2, 3])
        assert "\n" not in str(caught.value), name
        tried += 1
    assert tried > 100
    assert not canary.exists()


async def test_an_artifact_that_needs_what_is_not_installed_leaves_the_old_router(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = generate(tmp_path / "keys")
    publish(tmp_path / "router", key, router())
    routers = Routers(
        {"main": tmp_path / "router"}, keys_dir=tmp_path / "keys", trusted_keys=(), memory=tmp_path / "memory"
    )
    assert await routers.refresh() == ["main"]
    serving = routers.current["main"]
    publish(tmp_path / "router", key, custom_router())
    for name in ("skops", "skops.io"):
        monkeypatch.setitem(sys.modules, name, None)
    assert await routers.refresh() == []
    assert "skops" in routers.problems["main"]
    assert routers.current["main"] is serving


class Asked:
    """An embedder that is never reached."""

    dimensions = 4
    fingerprint = "asked-1"


def test_a_trainers_vectors_are_never_unpickled(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "vectors.npy"
    for name, data in corpus(canary):
        path.write_bytes(data)
        with pytest.raises(TrainingError) as caught:
            from_file(path, Asked(), "asked", ["a", "b"], np.array([0, 1]), 2)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value), name
    assert not canary.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_trainers_data_is_never_run(tmp_path: Path, canary: Path, kind: str) -> None:
    path = tmp_path / f"outcomes{kind}"
    for name, data in islice(corpus(canary), 0, None, EVERY):
        path.write_bytes(data)
        with pytest.raises(TrainingError) as caught:
            read_table(path)
        assert "\n" not in str(caught.value), name
    assert not canary.exists()

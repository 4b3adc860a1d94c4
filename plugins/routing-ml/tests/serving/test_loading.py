"""Routers follow their folders: swapped in whole, refused with a reason, and never replaced by something older."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.artifact.keys import generate, signing_key
from routeiq_routing_ml.artifact.manifest import MANIFEST, Manifest
from routeiq_routing_ml.artifact.writer import write
from routeiq_routing_ml.serving.loading import Routers

from ..model.trained import MODELS, packed


@dataclass
class Place:
    """A data folder with keys, and folders of artifacts."""

    root: Path
    last: int = field(default=1)

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    def publish(
        self, name: str = "main", kind: str = "elo", *, key: Path | None = None, damage: str = "", **changes: Any
    ) -> Manifest:
        """Write the next version of an artifact, `damage` one of its arrays, or change what the manifest says."""
        _, manifest, arrays = packed(kind)
        self.last += 1
        told = Manifest.model_validate({**manifest.model_dump(), "version": self.last, **changes})
        if damage:
            arrays = {**arrays, damage: np.roll(arrays[damage], 1)}
        return write(self.root / name, told, arrays, signing_key(key or self.keys))

    def routers(self, *names: str, **changes: Any) -> Routers:
        fields = {"keys_dir": self.keys, "trusted_keys": (), "memory": self.root / "memory", **changes}
        return Routers({name: self.root / name for name in names or ("main",)}, **fields)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    generate(tmp_path / "keys")
    return Place(tmp_path)


async def test_what_is_there_is_loaded_and_ready_to_decide(place: Place) -> None:
    manifest = place.publish(kind="knn")
    routers = place.routers()
    assert await routers.refresh() == ["main"]
    loaded = routers.current["main"]
    assert (loaded.name, loaded.strategy, loaded.version) == ("main", "knn", manifest.version)
    assert loaded.digest == manifest.digest()
    assert loaded.packed.main.models == MODELS
    assert routers.problems == {}


async def test_nothing_new_is_no_swap(place: Place) -> None:
    place.publish()
    routers = place.routers()
    await routers.refresh()
    before = routers.current
    assert await routers.refresh() == []
    assert routers.current is before


async def test_a_newer_artifact_is_swapped_in_and_what_decides_now_is_untouched(place: Place) -> None:
    place.publish()
    routers = place.routers()
    await routers.refresh()
    held, before = routers.current, routers.current["main"]
    newer = place.publish(kind="ridge")
    assert await routers.refresh() == ["main"]
    assert held["main"] is before
    assert routers.current["main"].version == newer.version
    assert routers.current["main"].strategy == "ridge"


async def test_the_same_artifact_copied_anew_is_looked_at_and_not_swapped(place: Place) -> None:
    place.publish()
    routers = place.routers()
    await routers.refresh()
    before = routers.current
    shutil.copytree(place.root / "main", place.root / "copy")
    shutil.rmtree(place.root / "main")
    (place.root / "copy").rename(place.root / "main")
    assert await routers.refresh() == []
    assert routers.current is before


async def test_each_router_has_its_own_fate(place: Place) -> None:
    place.publish("main")
    place.publish("other", kind="mf")
    routers = place.routers("main", "missing", "other")
    assert await routers.refresh() == ["main", "other"]
    assert list(routers.problems) == ["missing"]
    assert "no such folder" in routers.problems["missing"]
    place.publish("missing")
    assert await routers.refresh() == ["missing"]
    assert routers.problems == {}
    assert routers.of_strategy("mf") is routers.current["other"]
    assert routers.of_strategy("elo") is routers.current["main"]
    assert routers.of_strategy("svm") is None


def cut(folder: Path) -> None:
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes()[:-2])


def flip(folder: Path) -> None:
    data = bytearray((folder / "arrays.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "arrays.safetensors").write_bytes(data)


def plant(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(b"")


@pytest.mark.parametrize("harm", [cut, flip, plant, shutil.rmtree])
async def test_harm_keeps_the_router_loaded_before_until_a_sound_one_comes(
    place: Place, harm: Callable[[Path], None]
) -> None:
    place.publish()
    routers = place.routers()
    await routers.refresh()
    before = routers.current["main"]
    place.publish()
    shutil.rmtree(place.root / "main.previous")
    harm(place.root / "main")
    assert await routers.refresh() == []
    assert routers.current["main"] is before
    assert str(place.root / "main") in routers.problems["main"]
    assert await routers.refresh() == []
    assert "main" in routers.problems
    shutil.rmtree(place.root / "main", ignore_errors=True)
    place.publish()
    assert await routers.refresh() == ["main"]
    assert routers.problems == {}
    assert routers.current["main"].version == place.last


LIES: list[tuple[dict[str, Any], str]] = [
    ({"damage": "main.calibration.intercept"}, "other qualities than at training"),
    ({"probes": ()}, "no self-test"),
    ({"probes": ({"part": "main."},) * 3}, "lacks 'scores'"),
    ({"probes": ({"part": ["main."], "scores": None},)}, "no self-test"),
    ({"settings": {}}, "lacks 'default'"),
    ({"settings": {"default": "small", "margin": 10**400, "weights": {}}}, "do not fit together"),
    ({"strategy": "magic"}, "'magic' is not known"),
    ({"strategy": "custom"}, "custom without its estimator"),
    ({"strategy": "knn"}, "knn.store"),
    ({"features": {"embedder": "fixture"}}, "hashing.idf"),
    ({"pool": ("medium", "large")}, "the pool has 2 models"),
    ({"expires": "2020-01-01T00:00:00+00:00"}, "expired"),
]


@pytest.mark.parametrize(("lie", "match"), LIES, ids=[match for _, match in LIES])
async def test_a_signed_artifact_that_makes_no_sense_is_a_problem_and_no_crash(
    place: Place, lie: dict[str, Any], match: str
) -> None:
    place.publish(**lie)
    routers = place.routers()
    assert await routers.refresh() == []
    assert routers.current == {}
    assert match in routers.problems["main"]
    place.publish()
    assert await routers.refresh() == ["main"]


async def test_a_refused_artifact_leaves_no_trace_in_the_memory_of_versions(place: Place) -> None:
    place.publish(probes=(), version=10**15)
    routers = place.routers()
    await routers.refresh()
    assert "main" in routers.problems
    place.publish(version=5)
    assert await routers.refresh() == ["main"]


async def test_an_older_version_is_refused_also_after_a_restart(place: Place) -> None:
    place.publish(version=100)
    first = place.routers()
    await first.refresh()
    place.publish(version=99)
    assert await first.refresh() == []
    assert "version 99 is older than version 100" in first.problems["main"]
    assert first.current["main"].version == 100
    restarted = place.routers()
    assert await restarted.refresh() == []
    assert "version 99 is older" in restarted.problems["main"]
    assert restarted.current == {}


async def test_the_same_version_with_other_content_is_refused(place: Place) -> None:
    place.publish(version=100)
    await place.routers().refresh()
    place.publish(version=100, trainer="somebody else")
    routers = place.routers()
    await routers.refresh()
    assert "version 100 was in use before with other content" in routers.problems["main"]


async def test_a_key_that_comes_later_is_seen_without_a_change_of_the_artifact(place: Place) -> None:
    strange = place.root / "stranger"
    place.publish(key=strange)
    routers = place.routers()
    await routers.refresh()
    assert "main" in routers.problems
    shutil.copy(strange / "signing.pub", place.keys / "stranger.pub")
    assert await routers.refresh() == ["main"]
    assert routers.problems == {}


async def test_keys_named_by_the_operator_are_trusted_beside_those_of_the_folder(place: Place) -> None:
    strange = place.root / "stranger"
    place.publish(key=strange)
    place.publish("own")
    routers = place.routers("main", "own", trusted_keys=(strange / "signing.pub",))
    assert await routers.refresh() == ["main", "own"]


async def test_a_broken_memory_of_versions_is_a_problem_and_not_a_clean_slate(place: Place) -> None:
    place.publish()
    (place.root / "memory").mkdir()
    (place.root / "memory" / "versions.json").write_text("{}")
    routers = place.routers()
    await routers.refresh()
    assert "memory of versions is broken" in routers.problems["main"]
    assert routers.current == {}

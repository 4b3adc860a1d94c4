"""Replacing an artifact: a reader at any moment gets the old or the new one, and so does one after any crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.artifact import keys, writer
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.loader import load

Publish = Callable[..., Path]
STEPS = frozenset(
    {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree"}
)

WRITES_UNTIL_TOLD = """
import select, sys
import numpy as np
from routeiq_routing_ml.artifact import keys, writer
from routeiq_routing_ml.artifact.manifest import Manifest
key, version = keys.signing_key(sys.argv[1]), 1
while not select.select([sys.stdin], [], [], 0)[0]:
    version += 1
    manifest = Manifest(strategy="knn", version=version, created="2026-01-31T12:00:00Z", trainer="t", features={},
                        pool=("a", "b"), settings={"version": version})
    writer.write(sys.argv[2], manifest, {"x": np.full(5000, version, "i8")}, key, {"report.html": b"%d" % version})
"""


def full(version: int) -> dict[str, np.ndarray[Any, Any]]:
    return {"x": np.full(5000, version, "i8")}


def test_the_one_before_is_kept_and_nothing_else(publish: Publish, signer: Any, tmp_path: Path) -> None:
    for version in (1, 2, 3):
        folder = publish(full(version), version=version)
    assert load(folder, signer.trusted).manifest.version == 3
    assert load(tmp_path / "router.previous", signer.trusted).manifest.version == 2
    assert sorted(os.listdir(tmp_path)) == [".router.lock", "router", "router.previous"]


def test_two_hundred_loads_under_a_busy_writer_see_whole_artifacts_only(
    manifest: Callable[..., Any], tmp_path: Path
) -> None:
    key, folder = keys.signing_key(tmp_path / "keys"), tmp_path / "router"
    trusted = keys.trusted(tmp_path / "keys")
    writer.write(folder, manifest(settings={"version": 1}), full(1), key)
    command = [sys.executable, "-c", WRITES_UNTIL_TOLD, str(tmp_path / "keys"), str(folder)]
    seen: list[int] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        while (len(seen) < 200 or len(set(seen)) < 10) and child.poll() is None:
            artifact = load(folder, trusted)
            assert (artifact.arrays["x"] == artifact.manifest.version).all()
            assert artifact.manifest.settings["version"] == artifact.manifest.version
            seen.append(artifact.manifest.version)
        assert child.stdin is not None
        child.stdin.close()
    assert child.returncode == 0
    assert seen == sorted(seen)
    assert len(seen) >= 200


def _killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a child that is killed (SIGKILL) before its `step`-th touch of the disk; whether it was."""
    child = os.fork()
    if child == 0:
        left = step

        def hook(event: str, _: tuple[object, ...]) -> None:
            nonlocal left
            if event in STEPS:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_writer_killed_before_any_step_leaves_a_whole_artifact(publish: Publish, signer: Any, tmp_path: Path) -> None:
    folder = publish(full(1), version=1)
    step, version, killed = 0, 1, True
    while killed:
        for _ in range(2):  # the second finds what the first has left behind
            before = load(folder, signer.trusted).manifest.version
            version += 1
            killed = _killed_at(step, lambda: publish(full(version), version=version))  # noqa: B023
            artifact = load(folder, signer.trusted)
            assert artifact.manifest.version in {before, version}
            assert (artifact.arrays["x"] == artifact.manifest.version).all()
            assert killed or artifact.manifest.version == version
        step += 1
    assert step > 15
    publish(full(version + 1), version=version + 1)
    assert sorted(os.listdir(tmp_path)) == [".router.lock", "router", "router.previous"]
    assert load(folder, signer.trusted).manifest.version == version + 1


@pytest.mark.parametrize("what", ["nan", "object", "name", "arrays", "big"])
def test_what_cannot_be_written_leaves_the_old_one(publish: Publish, signer: Any, what: str) -> None:
    folder = publish(version=1)
    broken: dict[str, dict[str, Any]] = {
        "nan": {"arrays": {"x": np.array([np.nan])}},
        "object": {"arrays": {"x": np.array([None])}},
        "name": {"extra": {"model.pkl": b""}},
        "arrays": {"extra": {"arrays.safetensors": b""}},
        "big": {"extra": {f"f{n}.txt": b"" for n in range(40)}},
    }
    with pytest.raises(ArtifactError):
        publish(version=2, **broken[what])
    assert load(folder, signer.trusted).manifest.version == 1


def test_a_disk_that_refuses_leaves_the_old_one(publish: Publish, signer: Any, tmp_path: Path) -> None:
    folder = publish(version=1)

    def work() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        with pytest.raises(ArtifactError, match="What was there is still there"):
            publish(full(2), version=2)
        (tmp_path / "told").touch()

    assert not _killed_at(1 << 30, work)
    assert (tmp_path / "told").exists()
    assert load(folder, signer.trusted).manifest.version == 1
    assert not [name for name in os.listdir(tmp_path) if ".new-" in name]


def test_a_folder_of_other_things_is_neither_moved_nor_deleted(publish: Publish, tmp_path: Path) -> None:
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "letters.txt").write_text("dear")
    with pytest.raises(ArtifactError, match="a folder of other things"):
        publish()
    (tmp_path / "plain").write_text("text")
    with pytest.raises(ArtifactError, match="not a folder"):
        publish(folder=tmp_path / "plain")
    (tmp_path / "next.previous").mkdir()
    (tmp_path / "next.previous" / "letters.txt").write_text("dear")
    with pytest.raises(ArtifactError, match="a folder of other things"):
        publish(folder=tmp_path / "next")
    assert (tmp_path / "router" / "letters.txt").read_text() == "dear"
    assert (tmp_path / "next.previous" / "letters.txt").read_text() == "dear"
    assert (tmp_path / "plain").read_text() == "text"

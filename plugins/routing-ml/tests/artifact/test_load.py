"""What is written is loaded; what may not be used is refused with one message that names the place and the mend."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.artifact import keys
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.loader import Limits, load
from routeiq_routing_ml.artifact.versions import Seen

Publish = Callable[..., Path]
EVERY_KIND = {
    kind: np.array([[0, 1], [1, 0]], dtype=kind)
    for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "?")
}


def refused(folder: Path, trusted: keys.TrustedKeys, says: str, **options: Any) -> ArtifactError:
    with pytest.raises(ArtifactError, match=says) as caught:
        load(folder, trusted, **options)
    assert caught.value.mend
    assert str(folder) in str(caught.value)
    return caught.value


def test_what_is_written_is_loaded(publish: Publish, signer: Any) -> None:
    extra = {"estimators.skops": b"skops", "report.html": b"<html>"}
    folder = publish(EVERY_KIND | {"scalar": np.array(3, "f4"), "none": np.zeros((0, 3), "i4")}, extra)
    artifact = load(folder, signer.trusted)
    assert artifact.key == signer.key.id
    assert artifact.estimators == b"skops"
    assert artifact.digest == artifact.manifest.digest()
    assert set(artifact.manifest.files) == {"arrays.safetensors", "estimators.skops", "report.html"}
    for kind, array in EVERY_KIND.items():
        assert artifact.arrays[kind].dtype == array.dtype
        assert np.array_equal(artifact.arrays[kind], array)
    assert artifact.arrays["scalar"].shape == ()
    assert artifact.arrays["none"].shape == (0, 3)


def test_nobody_can_change_what_was_verified(publish: Publish, signer: Any) -> None:
    artifact = load(publish(), signer.trusted)
    with pytest.raises(ValueError, match="read-only"):
        artifact.arrays["centres"][0] = 1
    with pytest.raises(TypeError):
        artifact.arrays["other"] = np.zeros(1)  # type: ignore[index]


def test_an_unknown_key_and_no_key_are_refused(publish: Publish, signer: Any, tmp_path: Path) -> None:
    folder = publish()
    other = keys.generate(tmp_path / "other")
    refused(folder, keys.trusted(tmp_path / "other"), f"signed by the key {signer.key.id}, which is not trusted")
    refused(folder, keys.trusted(tmp_path / "none"), "no key is trusted")
    assert other.id not in signer.trusted


def test_a_signature_of_another_key_under_a_trusted_name_is_refused(
    publish: Publish, signer: Any, tmp_path: Path
) -> None:
    other = keys.generate(tmp_path / "other")
    folder = publish(key=other)
    signature = folder / "manifest.sig"
    signature.write_text(signature.read_text().replace(other.id, signer.key.id))
    refused(folder, signer.trusted, "does not fit")


def test_versions_only_rise(publish: Publish, signer: Any) -> None:
    folder = publish(version=5)
    artifact = load(folder, signer.trusted)
    assert load(folder, signer.trusted, newer_than=artifact.seen).digest == artifact.digest
    assert load(folder, signer.trusted, newer_than=Seen(4, "0" * 64)).digest == artifact.digest
    refused(folder, signer.trusted, "version 5 is older than version 6", newer_than=Seen(6, artifact.digest))
    refused(folder, signer.trusted, "version 5 was in use before with other", newer_than=Seen(5, "0" * 64))


def test_an_artifact_ends_when_it_says(publish: Publish, signer: Any) -> None:
    end = datetime(2026, 3, 1, tzinfo=UTC)
    folder = publish(expires=end.isoformat())
    assert load(folder, signer.trusted, now=end - timedelta(microseconds=1))
    refused(folder, signer.trusted, "expired at 2026-03-01", now=end)


def test_more_bytes_than_the_limit_are_not_read(publish: Publish, signer: Any) -> None:
    folder = publish()
    total = (folder / "arrays.safetensors").stat().st_size
    assert load(folder, signer.trusted, limits=Limits(total=total))
    refused(folder, signer.trusted, "at most", limits=Limits(total=total - 1))


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", "arrays.safetensors", "report.html"])
def test_only_plain_files_are_read_and_nobody_waits(publish: Publish, signer: Any, name: str) -> None:
    folder = publish(extra={"report.html": b"report"})
    path = folder / name
    kept = path.read_bytes()

    path.rename(folder / "elsewhere")
    path.symlink_to("elsewhere")
    refused(folder, signer.trusted, f"{name}: a link")
    path.unlink()
    path.mkdir()
    refused(folder, signer.trusted, f"{name}: not a plain file")
    path.rmdir()
    os.mkfifo(path)
    refused(folder, signer.trusted, f"{name}: not a plain file")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(folder, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{here}/{name}")
        finally:
            os.close(here)
        refused(folder, signer.trusted, f"{name}: not a plain file")
    path.unlink()
    refused(folder, signer.trusted, f"{name}: this file is missing")
    path.write_bytes(b"")
    refused(folder, signer.trusted, name.replace("manifest.json", "manifest.sig"))
    path.write_bytes(kept[:-1])
    refused(folder, signer.trusted, name.replace("manifest.json", "manifest.sig"))
    with path.open("wb") as file:
        file.truncate(1 << 40)
    refused(folder, signer.trusted, f"{name}: 1099511627776 bytes where at most")
    path.write_bytes(kept)
    assert load(folder, signer.trusted)


@pytest.mark.parametrize("name", ["model.pkl", "MODEL.JOBLIB", "weights.pt", "x.npz", "code.py"])
def test_a_file_that_can_run_code_may_not_lie_in_an_artifact(publish: Publish, signer: Any, name: str) -> None:
    folder = publish()
    (folder / name).write_bytes(b"")
    refused(folder, signer.trusted, f"{name}: a file of a kind that can run code")


def test_a_file_that_is_not_listed_is_not_loaded(publish: Publish, signer: Any) -> None:
    folder = publish()
    (folder / "estimators.skops").write_bytes(b"foreign")
    assert load(folder, signer.trusted).estimators is None


@pytest.mark.parametrize("name", ["router.pkl", "router.joblib", "router.npz", "router.PT"])
def test_a_pickle_in_place_of_an_artifact_says_how_to_convert_it(tmp_path: Path, signer: Any, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    error = refused(tmp_path / name, signer.trusted, "never loaded")
    assert "convert" in error.mend


def test_a_path_that_is_no_artifact_is_refused(tmp_path: Path, signer: Any) -> None:
    refused(tmp_path / "none", signer.trusted, "no such folder")
    (tmp_path / "text").write_text("text")
    refused(tmp_path / "text", signer.trusted, "not a folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", signer.trusted, "missing")


def test_a_link_to_an_artifact_is_followed(publish: Publish, signer: Any, tmp_path: Path) -> None:
    folder = publish()
    (tmp_path / "current").symlink_to(folder)
    assert load(tmp_path / "current", signer.trusted).manifest.version == 1
    publish(folder=tmp_path / "current", version=2)
    assert (tmp_path / "current").is_symlink()
    assert load(folder, signer.trusted).manifest.version == 2

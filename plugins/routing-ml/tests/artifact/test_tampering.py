"""One flipped bit anywhere in an artifact, or one byte more or less, and it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.artifact import signature, writer
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.loader import load

FILES = ("manifest.json", "manifest.sig", "arrays.safetensors", "estimators.skops", "report.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, signer: Any, manifest: Any) -> Path:
    path = tmp_path_factory.mktemp("tampering") / "router"
    extra = {"estimators.skops": bytes(range(256)), "report.html": b"<html>" * 20}
    writer.write(path, manifest(), {"x": np.arange(64, dtype="f4")}, signer.key, extra)
    return path


@contextmanager
def content(path: Path, changed: bytes) -> Iterator[None]:
    kept = path.read_bytes()
    path.write_bytes(changed)
    try:
        yield
    finally:
        path.write_bytes(kept)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), name=st.sampled_from(FILES))
def test_a_flipped_bit_in_any_file_is_refused(data: Any, name: str, folder: Path, signer: Any) -> None:
    kept = (folder / name).read_bytes()
    at = data.draw(st.integers(0, 8 * len(kept) - 1), label="bit")
    changed = bytearray(kept)
    changed[at // 8] ^= 1 << at % 8
    with content(folder / name, bytes(changed)), pytest.raises(ArtifactError):
        load(folder, signer.trusted)


def test_each_single_bit_of_the_signature_counts(folder: Path, signer: Any) -> None:
    signed, kept = (folder / "manifest.json").read_bytes(), (folder / "manifest.sig").read_bytes()
    assert signature.verify(folder, kept, signed, signer.trusted) == signer.key.id
    for at in range(8 * len(kept)):
        changed = bytearray(kept)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(ArtifactError):
            signature.verify(folder, bytes(changed), signed, signer.trusted)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), name=st.sampled_from(FILES))
def test_a_part_left_out_or_put_in_is_refused(data: Any, name: str, folder: Path, signer: Any) -> None:
    kept = (folder / name).read_bytes()
    start = data.draw(st.integers(0, len(kept)), label="start")
    end = data.draw(st.integers(start, len(kept)), label="end")
    changed = kept[:start] + data.draw(st.binary(max_size=8), label="put in") + kept[end:]
    if changed == kept:
        return
    with content(folder / name, changed), pytest.raises(ArtifactError):
        load(folder, signer.trusted)


def test_files_of_two_artifacts_do_not_mix(folder: Path, signer: Any, manifest: Any, tmp_path: Path) -> None:
    extra = {"estimators.skops": bytes(range(256)), "report.html": b"<html>" * 20}
    other = tmp_path / "other"
    writer.write(other, manifest(version=2), {"x": np.arange(64, dtype="f4") + 1}, signer.key, extra)
    for name in ("manifest.json", "manifest.sig", "arrays.safetensors"):
        with content(folder / name, (other / name).read_bytes()), pytest.raises(ArtifactError):
            load(folder, signer.trusted)
    assert load(folder, signer.trusted).manifest.version == 1

"""Makes an artifact and puts it in place of the one before: whole, signed, on the disk, or not at all.

What goes into it is decided by training; reading it back is the business of `loader`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from routeiq_routing_ml.artifact import arrays as codec
from routeiq_routing_ml.artifact import files, signature
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.keys import SigningKey
from routeiq_routing_ml.artifact.manifest import ARRAYS, MANIFEST, PREVIOUS_SUFFIX, SIGNATURE, FileEntry, Manifest

_NEW: Final = "new"
_OLD: Final = "old"


def write(
    folder: Path | str,
    manifest: Manifest,
    arrays: Mapping[str, np.ndarray[Any, Any]],
    key: SigningKey,
    extra_files: Mapping[str, bytes] | None = None,
) -> Manifest:
    """Publish an artifact in `folder` and return its manifest with the digests of all files.

    `manifest.files` is filled in here. `extra_files` are further files by name, such as `estimators.skops` and
    `report.html`. The artifact that was there becomes FOLDER.previous, and the one before that is deleted. A reader
    sees the old or the new one; a writer that fails or is killed leaves the old one loadable. Writers take turns.
    Raises `ArtifactError`.
    """
    target = Path(os.path.realpath(folder))
    extra = dict(extra_files or {})
    if ARRAYS in extra:
        raise ArtifactError(target, f"{ARRAYS} among the extra files.", "pass arrays as arrays.")
    try:
        contents = {ARRAYS: codec.encode(arrays), **extra}
        signed = _with_files(manifest, contents)
    except ValueError as error:
        raise ArtifactError(target, f"this is no artifact: {_first(error)}.", "correct what is written.") from None
    data = signed.to_bytes()
    contents[MANIFEST] = data
    contents[SIGNATURE] = signature.sign(key, data)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _turn(target):
            _publish(target, contents)
    except OSError as error:
        reason = f"it cannot be written: {error.strerror}. What was there is still there."
        raise ArtifactError(target, reason, "name a folder whose parent you may write to, with space left.") from None
    return signed


def _with_files(manifest: Manifest, contents: Mapping[str, bytes]) -> Manifest:
    listed = {
        name: FileEntry(size=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in contents.items()
    }
    return Manifest.model_validate({**manifest.model_dump(), "files": listed})


def _first(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])
    return str(error)


def _publish(target: Path, contents: Mapping[str, bytes]) -> None:
    previous = target.with_name(target.name + PREVIOUS_SUFFIX)
    _replaceable(target)
    _replaceable(previous)
    for left in target.parent.iterdir():
        if left.name.startswith((f".{target.name}.{_NEW}-", f".{target.name}.{_OLD}-")):
            shutil.rmtree(left, ignore_errors=True)
    new = _beside(target, _NEW)
    try:
        new.mkdir()
        for name, data in contents.items():
            files.write(new / name, data, mode=0o666)
        files.sync(new)
        _swap(new, target, previous)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, target: Path, previous: Path) -> None:
    """At each moment `target` or else `previous` is a whole artifact: a reader looks for them in this order."""
    old = _beside(target, _OLD)
    occupied = (target / MANIFEST).exists()
    if occupied:
        if previous.exists():
            previous.rename(old)
        target.rename(previous)
    try:
        new.rename(target)
    except OSError:
        if occupied:
            previous.rename(target)
        raise
    files.sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _beside(target: Path, word: str) -> Path:
    return target.with_name(f".{target.name}.{word}-{secrets.token_hex(8)}")


def _replaceable(folder: Path) -> None:
    """Refuse to move or delete what no writer made."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise ArtifactError(folder, "not a folder.", "choose another name, or move it away.")
    if not (folder / MANIFEST).exists() and any(folder.iterdir()):
        raise ArtifactError(folder, "a folder of other things.", "choose an empty folder or a new name.")


@contextmanager
def _turn(target: Path) -> Iterator[None]:
    fd = os.open(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)

"""From a folder on disk to an artifact that may be used, or to one clear refusal. Reads each file once.

Nothing is decoded before its bytes are known to be what a trusted key signed. The caller keeps the last good one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from routeiq_routing_ml.artifact import arrays, files, signature
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.keys import TrustedKeys
from routeiq_routing_ml.artifact.manifest import (
    ARRAYS,
    CODE_SUFFIXES,
    ESTIMATORS,
    MANIFEST,
    MOST_BYTES,
    PREVIOUS_SUFFIX,
    SIGNATURE,
    Manifest,
)
from routeiq_routing_ml.artifact.versions import Seen

_MOST_NAMES: Final = 1000
_TRIES: Final = 50
_COPY_AGAIN: Final = "copy the whole folder again from where it was trained, or train the router again."
_NO_ARTIFACT: Final = "train a router first, or name the folder of one."


@dataclass(frozen=True, slots=True)
class Limits:
    """What a loader is willing to read. `total` is the sum of all files in bytes."""

    total: int = 512 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A router that was verified. The arrays are read-only; `estimators` are skops bytes for `estimators.load`; `key`
    is the id of the key that signed it, `digest` the sha256 of its manifest.
    """

    manifest: Manifest
    arrays: Mapping[str, np.ndarray[Any, Any]]
    estimators: bytes | None
    key: str
    digest: str

    @property
    def seen(self) -> Seen:
        """What the next artifact of this name must be newer than, or equal to."""
        return Seen(self.manifest.version, self.digest)


def load(
    folder: Path | str,
    trusted: TrustedKeys,
    *,
    newer_than: Seen | None = None,
    now: datetime | None = None,
    limits: Limits = Limits(),
) -> Artifact:
    """Read and verify an artifact. Blocks on the disk: call it in a thread.

    `newer_than` is the newest artifact known of this name: older ones are refused, and so is the same version with
    other content. `now` (default: the clock) is compared with the artifact's end. While a writer replaces the folder
    the old or the new artifact is loaded, never a mix; if a writer was killed between its two renames, FOLDER.previous
    is loaded. Raises `ArtifactError` for whatever is wrong.
    """
    path = Path(os.path.realpath(folder))
    for _ in range(_TRIES):
        with _opened(path) as fd:
            if fd is None:
                continue
            try:
                return _load(path, fd, trusted, newer_than, now or datetime.now(UTC), limits)
            except FileNotFoundError as error:
                if not _replaced(path, fd):
                    raise ArtifactError(path / str(error.filename), "this file is missing.", _COPY_AGAIN) from None
    raise ArtifactError(path, "it is replaced faster than it can be read.", "publish less often.")


def _load(
    path: Path, fd: int, trusted: TrustedKeys, newer_than: Seen | None, now: datetime, limits: Limits
) -> Artifact:
    _no_code(path, fd)
    signed, _ = files.read(path / MANIFEST, MOST_BYTES, folder=fd)
    signer, _ = files.read(path / SIGNATURE, signature.MOST_BYTES, folder=fd)
    key = signature.verify(path / SIGNATURE, signer, signed, trusted)
    manifest = Manifest.parse(signed, path / MANIFEST)
    contents = _contents(path, fd, manifest, limits)
    digest = hashlib.sha256(signed).hexdigest()
    reason = newer_than.refuses(manifest.version, digest) if newer_than is not None else None
    if reason is not None:
        raise ArtifactError(path, reason, "train again; to go back, publish the old content under a new version.")
    end = manifest.expires_at()
    if end is not None and now >= end:
        raise ArtifactError(path, f"it expired at {manifest.expires}.", "train the router again.")
    decoded = arrays.decode(contents[ARRAYS], path / ARRAYS)
    return Artifact(manifest, decoded, contents.get(ESTIMATORS), key, digest)


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """The open folder, so that all files come from the same one; `None` when the folder is in the middle of a move."""
    fd = _directory(path)
    if fd is None:
        fd = _directory(path.with_name(path.name + PREVIOUS_SUFFIX))
    if fd is None:
        if not os.path.lexists(path):
            raise ArtifactError(path, "no such folder.", _NO_ARTIFACT)
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _directory(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        if path.suffix.lower() in CODE_SUFFIXES:
            raise ArtifactError(
                path,
                "a pickle, joblib, npz or code file is never loaded: it can run code.",
                "make a skops file of an estimator with `routeiq route convert`, and train with that.",
            ) from None
        raise ArtifactError(path, "not a folder.", _NO_ARTIFACT) from None
    except OSError as error:
        raise ArtifactError(path, f"cannot be opened: {error.strerror}.", "check its owner and mode.") from None


def _replaced(path: Path, fd: int) -> bool:
    try:
        return not os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return True


def _no_code(path: Path, fd: int) -> None:
    with os.scandir(fd) as entries:
        for number, entry in enumerate(entries):
            if number == _MOST_NAMES:
                raise ArtifactError(path, f"more than {_MOST_NAMES} files.", _NO_ARTIFACT)
            if Path(entry.name).suffix.lower() in CODE_SUFFIXES:
                reason = "a file of a kind that can run code lies in the artifact."
                raise ArtifactError(path / entry.name, reason, "remove it, if you know where it is from.")


def _contents(path: Path, fd: int, manifest: Manifest, limits: Limits) -> dict[str, bytes]:
    """The verified bytes of the files that are used. All others that are listed are verified too."""
    if ARRAYS not in manifest.files:
        raise ArtifactError(path / MANIFEST, f"it lists no {ARRAYS}.", "train the router again.")
    total = sum(entry.size for entry in manifest.files.values())
    if total > limits.total:
        reason = f"{total} bytes of files, and at most {limits.total} are read."
        raise ArtifactError(path, reason, "train a smaller router, for instance on fewer examples.")
    kept: dict[str, bytes] = {}
    for name, entry in manifest.files.items():
        data, _ = files.read(path / name, entry.size, folder=fd)
        if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ArtifactError(path / name, "not the file that was signed.", _COPY_AGAIN)
        if name in {ARRAYS, ESTIMATORS}:
            kept[name] = data
    return kept

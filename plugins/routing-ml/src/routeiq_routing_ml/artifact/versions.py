"""The rule against old artifacts, and the memory of the newest version seen of each name, shared by all workers.

Which artifact a name stands for, and when it is loaded, is the caller's business.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from routeiq_routing_ml.artifact import canonical, files
from routeiq_routing_ml.artifact.errors import ArtifactError

MEMORY: Final = "versions.json"
_LOCK: Final = "versions.lock"
_MOST_BYTES: Final = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEND: Final = (
    "restore the file from a backup; or, if you know the artifact to be the newest, delete the file: "
    "the next one that is loaded then counts as the newest."
)


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest artifact known of a name: its version and the digest of its manifest."""

    version: int
    digest: str

    def refuses(self, version: int, digest: str) -> str | None:
        """Why an artifact may not follow this one, in words; `None` when it may. It must be newer or the very same."""
        if version < self.version:
            return f"version {version} is older than version {self.version}, which was in use before."
        if version == self.version and digest != self.digest:
            return f"version {version} was in use before with other content."
        return None


class Versions:
    """A memory of `Seen` by name in `versions.json` of a folder. Safe for concurrent processes and against a crash."""

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._path = self._folder / MEMORY

    def seen(self, name: str) -> Seen | None:
        """The newest known of `name`; `None` for a name never seen. Raises `ArtifactError` if the memory is broken."""
        return self._read().get(name)

    def remember(self, name: str, version: int, digest: str) -> Seen:
        """Note an artifact that is about to be used. Raises `ArtifactError`, and notes nothing, if another worker saw
        a newer one meanwhile, if the memory is broken, or if it cannot be written.
        """
        new = Seen(version, digest)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self._folder / _LOCK):
                known = self._read()
                old = known.get(name)
                if old == new:
                    return new
                reason = old.refuses(version, digest) if old is not None else None
                if reason is not None:
                    raise ArtifactError(name, reason, "publish it again under a new version.")
                known[name] = new
                files.replace(self._path, _encode(known), mode=0o600)
        except OSError as error:
            mend = "give the gateway a data folder it may write to."
            raise ArtifactError(self._path, f"cannot be written: {error.strerror}.", mend) from None
        return new

    def _read(self) -> dict[str, Seen]:
        try:
            data, _ = files.read(self._path, _MOST_BYTES)
        except FileNotFoundError:
            return {}
        try:
            return _decode(canonical.decode(data))
        except ValueError as error:
            raise ArtifactError(self._path, f"the memory of versions is broken: {error}.", _MEND) from None


def _encode(known: dict[str, Seen]) -> bytes:
    rows = {name: {"version": seen.version, "digest": seen.digest} for name, seen in known.items()}
    return canonical.encode({"schema": 1, "artifacts": rows}) + b"\n"


def _decode(raw: Any) -> dict[str, Seen]:
    if not isinstance(raw, dict) or raw.keys() != {"schema", "artifacts"} or raw["schema"] != 1:
        raise ValueError("not of a form this version knows")
    rows = raw["artifacts"]
    if not isinstance(rows, dict):
        raise ValueError("no list of artifacts")
    return {name: _row(name, row) for name, row in rows.items()}


def _row(name: str, row: Any) -> Seen:
    if isinstance(row, dict) and row.keys() == {"version", "digest"}:
        version, digest = row["version"], row["digest"]
        if type(version) is int and version > 0 and isinstance(digest, str) and _DIGEST.fullmatch(digest):
            return Seen(version, digest)
    raise ValueError(f"no version and digest for {name!r}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)

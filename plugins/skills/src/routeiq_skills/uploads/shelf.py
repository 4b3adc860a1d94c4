"""Uploaded skills on the disk: one folder a tenant, one record a skill, one archive a version.

A record is replaced whole, after the archive that it names is there; what no record names is swept.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

SKILL_ID, VERSION_ID = re.compile(r"skill_[A-Za-z0-9]{8,64}"), re.compile(r"skillver_[A-Za-z0-9]{8,64}")


@dataclass(frozen=True, slots=True)
class Version:
    """One version: `number` is its moment in microseconds, `size` that of its archive in bytes."""

    id: str
    number: int
    created_ns: int
    description: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """A skill and its versions, oldest first."""

    id: str
    name: str
    title: str
    created_ns: int
    updated_ns: int
    versions: tuple[Version, ...]

    @property
    def latest(self) -> Version | None:
        """The newest version."""
        return self.versions[-1] if self.versions else None

    @property
    def size(self) -> int:
        """Bytes of all versions."""
        return sum(version.size for version in self.versions)


class Shelf:
    """All tenants' skills. Its methods block; changes are made under the tenant's lock, which other processes share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def locked(self, tenant: str) -> Iterator[None]:
        """Nobody else changes this tenant's skills meanwhile."""
        folder = self._folder(tenant)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def all(self, tenant: str) -> list[Record]:
        """The tenant's skills, newest first."""
        folder = self._folder(tenant)
        found = [self.get(tenant, path.stem) for path in folder.glob("skill_*.json")] if folder.is_dir() else []
        return sorted((each for each in found if each is not None), key=lambda each: (-each.created_ns, each.id))

    def get(self, tenant: str, skill: str) -> Record | None:
        """One skill of the tenant's."""
        if not SKILL_ID.fullmatch(skill):
            return None
        try:
            told = orjson.loads((self._folder(tenant) / f"{skill}.json").read_bytes())
        except FileNotFoundError:
            return None
        return Record(**{**told, "versions": tuple(Version(**version) for version in told["versions"])})

    def content(self, tenant: str, skill: str, version: str) -> bytes | None:
        """The archive of a version."""
        if not SKILL_ID.fullmatch(skill) or not VERSION_ID.fullmatch(version):
            return None
        try:
            return (self._folder(tenant) / skill / f"{version}.zip").read_bytes()
        except FileNotFoundError:
            return None

    def add(self, tenant: str, record: Record, version: Version, archive: bytes) -> Record:
        """Keep a version; the record may be new. Call it under the lock."""
        versions = self._folder(tenant) / record.id
        versions.mkdir(mode=0o700, exist_ok=True)
        _write(versions / f"{version.id}.zip", archive)
        changed = replace(record, updated_ns=version.created_ns, versions=(*record.versions, version))
        self.put(tenant, changed)
        return changed

    def put(self, tenant: str, record: Record) -> None:
        """Replace a record, and sweep the archives that it does not name. Call it under the lock."""
        _write(self._folder(tenant) / f"{record.id}.json", orjson.dumps(asdict(record)))
        named = {f"{version.id}.zip" for version in record.versions}
        versions = self._folder(tenant) / record.id
        for path in versions.iterdir() if versions.is_dir() else ():
            if path.name not in named:
                path.unlink(missing_ok=True)

    def remove(self, tenant: str, skill: str) -> None:
        """Remove a skill with its versions. Call it under the lock."""
        (self._folder(tenant) / f"{skill}.json").unlink(missing_ok=True)
        shutil.rmtree(self._folder(tenant) / skill, ignore_errors=True)

    def _folder(self, tenant: str) -> Path:
        return self._root / hashlib.sha256(tenant.encode()).hexdigest()[:40]


def _write(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a crash."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

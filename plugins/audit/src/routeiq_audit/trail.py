"""A copy of the trail as it lies in a folder: which objects, manifests, tombstones, heads and keys there are.

Nothing here is believed: what holds is found by `verifying`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from routeiq_audit.packing import Unreadable, unpack
from routeiq_audit.sealed import MANIFEST_SUFFIX, OBJECT_SUFFIX, TOMBSTONE_SUFFIX

_STEM = re.compile(r"(?P<stream>.+)-(?P<first>\d{12,})-(?P<last>\d{12,})-(?P<sha256>[0-9a-f]{64})")
_FOLDER = re.compile(r"v1/tenant=(?P<tenant>[^/]+)/dt=(?P<day>\d{4}-\d\d-\d\d)/hr=(?P<hour>\d\d)")
_SUFFIXES = (OBJECT_SUFFIX, MANIFEST_SUFFIX, TOMBSTONE_SUFFIX)


@dataclass(slots=True)
class Piece:
    """What lies there under one name: an object, its manifest, its tombstone, or some of them. The numbers are those
    that the name says; `base` is the name without a suffix."""

    base: str
    stream: str
    tenant: str
    day: str
    first: int
    last: int
    sha256: str
    there: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The object's name."""
        return self.base + OBJECT_SUFFIX

    @property
    def has_object(self) -> bool:
        """Whether the object is there."""
        return OBJECT_SUFFIX in self.there

    @property
    def has_manifest(self) -> bool:
        """Whether the manifest is there."""
        return MANIFEST_SUFFIX in self.there

    @property
    def has_tombstone(self) -> bool:
        """Whether the tombstone is there."""
        return TOMBSTONE_SUFFIX in self.there


class Trail:
    """A folder that a file sink wrote, or a bucket's objects that were downloaded with their names.

    The folder may also be one above: a bucket's prefix is found by itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = _root(folder)

    def chains(self, since_day: str = "") -> dict[tuple[str, str], list[Piece]]:
        """The pieces by (stream, tenant), in the order of their numbers; those sealed before a day (`YYYY-MM-DD`) are
        left out."""
        found: dict[str, Piece] = {}
        for base, suffix in self._files(since_day):
            piece = found.get(base)
            if piece is None:
                read = _read(base)
                if read is None:
                    continue
                piece = found[base] = read
            piece.there.add(suffix)
        chains: dict[tuple[str, str], list[Piece]] = {}
        for piece in sorted(found.values(), key=lambda one: (one.stream, one.tenant, one.first, one.last, one.base)):
            chains.setdefault((piece.stream, piece.tenant), []).append(piece)
        return chains

    def heads(self) -> list[tuple[str, bytes]]:
        """Name and content of each chain's head."""
        return self._small("heads", ".json")

    def keys(self) -> list[tuple[str, bytes]]:
        """Name and content of each public key."""
        return self._small("keys", ".pub")

    def object(self, piece: Piece) -> bytes:
        """The object's bytes."""
        return (self.folder / piece.name).read_bytes()

    def manifest(self, piece: Piece) -> bytes:
        """The manifest's bytes."""
        return (self.folder / (piece.base + MANIFEST_SUFFIX)).read_bytes()

    def tombstone(self, piece: Piece) -> bytes:
        """The tombstone's bytes."""
        return (self.folder / (piece.base + TOMBSTONE_SUFFIX)).read_bytes()

    def lines(self, piece: Piece) -> Iterator[dict[str, Any]]:
        """The lines of an object, unverified; those of an object that cannot be read are none."""
        try:
            content = unpack(self.object(piece))
        except (Unreadable, FileNotFoundError):
            return
        for line in content.splitlines():
            try:
                told = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(told, dict):
                yield told

    def _files(self, since_day: str) -> Iterator[tuple[str, str]]:
        for folder, below, names in os.walk(self.folder / "v1"):
            below[:] = [name for name in below if not name.startswith("dt=") or name[3:] >= since_day]
            place = Path(folder).relative_to(self.folder).as_posix()
            for name in names:
                for suffix in _SUFFIXES:
                    if name.endswith(suffix):
                        yield f"{place}/{name.removesuffix(suffix)}", suffix

    def _small(self, folder: str, suffix: str) -> list[tuple[str, bytes]]:
        paths = sorted((self.folder / folder).rglob(f"*{suffix}"))
        return [(path.name, path.read_bytes()) for path in paths if path.is_file() and not path.name.startswith(".")]


def _root(folder: Path) -> Path:
    if (folder / "v1").is_dir():
        return folder
    below = sorted({path.parent.parent for path in folder.glob("**/v1/tenant=*")})
    return below[0] if len(below) == 1 else folder


def _read(base: str) -> Piece | None:
    folder, _, stem = base.rpartition("/")
    place, name = _FOLDER.fullmatch(folder), _STEM.fullmatch(stem)
    if place is None or name is None:
        return None
    return Piece(
        base,
        name["stream"],
        unquote(place["tenant"]),
        place["day"],
        int(name["first"]),
        int(name["last"]),
        name["sha256"],
    )

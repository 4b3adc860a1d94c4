"""A sealed object with all that belongs to it: what the sealer makes, the outbox keeps and the sinks take.

How it is made, checked and kept is the business of other modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OBJECT_SUFFIX = ".jsonl.zst"
MANIFEST_SUFFIX = ".manifest.json"
TOMBSTONE_SUFFIX = ".tombstone.json"
ALL = "ALL"
"""The tenant of a trail that is not kept apart by tenants."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One object of one chain, with its manifest. Names are relative paths with forward slashes.

    `body` is zstd-compressed JSON lines, `manifest` and `head` are signed canonical JSON, `key` is the public key in
    PEM. The object and its manifest never change under their names; the head is replaced by the next one of its chain.
    """

    name: str
    body: bytes
    sha256: str
    manifest_name: str
    manifest: bytes
    head_name: str
    head: bytes
    key_name: str
    key: bytes
    stream: str
    tenant: str
    first_seq: int
    last_seq: int
    count: int

    def lines(self) -> Iterator[bytes]:
        """The canonical lines, one an event, without their line ends."""
        from routeiq_audit.packing import unpack

        yield from unpack(self.body).splitlines()


def stem_of(stream: str, first_seq: int, last_seq: int, sha256: str) -> str:
    """The last part of an object's name, without its suffix."""
    return f"{stream}-{first_seq:012d}-{last_seq:012d}-{sha256}"


def manifest_of(name: str) -> str:
    """The manifest's name for an object's."""
    return name.removesuffix(OBJECT_SUFFIX) + MANIFEST_SUFFIX


def tombstone_of(name: str) -> str:
    """The tombstone's name for an object's."""
    return name.removesuffix(OBJECT_SUFFIX) + TOMBSTONE_SUFFIX


def chain_of(stream: str, tenant: str) -> str:
    """One word for a chain: the stream, and the tenant when tenants are kept apart."""
    return stream if tenant == ALL else f"{stream}.{tenant}"

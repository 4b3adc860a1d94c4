"""The hash chain of a stream: each line names the hash of the one before.

Objects and signatures are made of lines elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from routeiq_audit.entry import Entry

GENESIS = "0" * 64
"""What the first line of a stream names."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a stream stands: the last line's number and hash, and the hash of the last manifest."""

    seq: int = 0
    hash: str = GENESIS
    manifest: str = GENESIS


@dataclass(frozen=True, slots=True)
class Chained:
    """Lines (without line breaks) that follow `before`, and the hash of the last."""

    lines: tuple[bytes, ...]
    before: Head
    hash: str

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.before.seq + len(self.lines)


def chained(stream: str, head: Head, entries: Iterable[Entry]) -> Chained:
    """The lines of `entries` after `head`."""
    lines: list[bytes] = []
    seq, previous = head.seq, head.hash
    stream_json = orjson.dumps(stream)
    for entry in entries:
        seq += 1
        before = b'{"class":%b,"event":%b,' % (orjson.dumps(entry.kind), entry.event)
        after = b'"id":%b,"name":%b,"prev":"%b","seq":%d,"stream":%b,"tenant":%b,"time":%b}' % (
            orjson.dumps(entry.id),
            orjson.dumps(entry.name),
            previous.encode(),
            seq,
            stream_json,
            orjson.dumps(entry.tenant),
            orjson.dumps(entry.time),
        )
        previous = line_hash(previous, before + after)
        lines.append(b'%b"hash":"%b",%b' % (before, previous.encode(), after))
    return Chained(tuple(lines), head, previous)


def line_hash(previous: str, unhashed: bytes) -> str:
    """SHA-256 over the hash before and the canonical line without its own hash, in hex."""
    return hashlib.sha256(bytes.fromhex(previous) + unhashed).hexdigest()

"""One entry of the spool as bytes: a marker, a checksum, its length, its place in the batch, its sequence number.

Files and their order are the business of `segments`.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

_LAYOUT = struct.Struct("<4sIIIQ")
# Lets a reader find the next entry behind damaged bytes without trying every offset.
_MARKER = b"\xd1RQ\n"
_CHECKED_FROM = 8

HEADER_SIZE = _LAYOUT.size


class Entry(NamedTuple):
    """An entry found in a buffer. `place` counts the entries before it that shared its fsync; `end` is the offset
    behind it."""

    sequence: int
    place: int
    start: int
    end: int

    @property
    def acknowledged_before(self) -> int:
        """The highest sequence number that was on disk for sure when this entry was written."""
        return self.sequence - 1 - self.place


def encode(sequence: int, place: int, payload: bytes) -> bytes:
    """An entry ready to be written."""
    header = _LAYOUT.pack(_MARKER, 0, len(payload), place, sequence)
    checksum = zlib.crc32(payload, zlib.crc32(header[_CHECKED_FROM:]))
    return _LAYOUT.pack(_MARKER, checksum, len(payload), place, sequence) + payload


def payload_length(header: bytes) -> int | None:
    """The length a header announces, unchecked; `None` when this is no header."""
    if len(header) < HEADER_SIZE:
        return None
    marker, _, length, _, _ = _LAYOUT.unpack(header)
    return int(length) if marker == _MARKER else None


def decode(buffer: bytes, offset: int = 0) -> Entry | None:
    """The whole, undamaged entry at `offset`, or `None`. Its payload is `buffer[entry.start:entry.end]`."""
    if offset + HEADER_SIZE > len(buffer):
        return None
    marker, checksum, length, place, sequence = _LAYOUT.unpack_from(buffer, offset)
    start = offset + HEADER_SIZE
    end = start + length
    if marker != _MARKER or end > len(buffer):
        return None
    with memoryview(buffer) as view:
        checked = zlib.crc32(view[start:end], zlib.crc32(view[offset + _CHECKED_FROM : start]))
    return Entry(sequence, place, start, end) if checked == checksum else None


def find(buffer: bytes, offset: int) -> Entry | None:
    """The first whole entry that starts at `offset` or later."""
    while (offset := buffer.find(_MARKER, offset)) >= 0:
        entry = decode(buffer, offset)
        if entry is not None:
            return entry
        offset += 1
    return None

"""The spool's files: append-only segments in one directory, written and read from one thread at a time.

Sharing an fsync between callers is the business of `spool`, repairing after a crash that of `recovery`.
"""

from __future__ import annotations

import errno
import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from routeiq.state.entry import HEADER_SIZE, decode, encode, payload_length
from routeiq.state.errors import SpoolCorrupt, SpoolError
from routeiq_sdk import SpoolFailed, SpoolFull

# The last byte is the version of the format.
MAGIC = b"RIQSPOL\x01"
SUFFIX = ".seg"
_MARK_EVERY = 32 * 1024
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Fsync = Callable[[int], None]


@dataclass(slots=True)
class Segment:
    """One file. It is named for the number of its first entry; `last` is below `first` while it has none."""

    path: Path
    first: int
    last: int
    size: int = len(MAGIC)
    # Where some of the entries start, so that a reader need not begin at the front.
    marks: list[tuple[int, int]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return self.last < self.first

    def note(self, sequence: int, offset: int, end: int) -> None:
        """Remember an entry that is on disk."""
        if not self.marks or offset - self.marks[-1][1] >= _MARK_EVERY:
            self.marks.append((sequence, offset))
        self.last = sequence
        self.size = end

    def offset_before(self, sequence: int) -> int:
        """An offset where an entry starts, at or before the one with this number."""
        index = bisect_right(self.marks, sequence, key=lambda mark: mark[0])
        return self.marks[index - 1][1] if index else len(MAGIC)


class Committed(NamedTuple):
    """What one commit wrote: `entries` of them, numbered from `first` on. `size` is that of the whole log now."""

    first: int
    entries: int
    size: int


def segment_path(directory: Path, first: int) -> Path:
    return directory / f"{first:020d}{SUFFIX}"


def sync_directory(directory: Path, fsync: Fsync) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fsync(fd)
    finally:
        os.close(fd)


def create_segment(directory: Path, first: int, fsync: Fsync) -> tuple[Segment, int]:
    """A new, empty and durable segment and the descriptor to write it with."""
    path = segment_path(directory, first)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_at(fd, MAGIC, 0)
        fsync(fd)
        sync_directory(directory, fsync)
    except OSError:
        os.close(fd)
        with suppress(OSError):
            path.unlink()
        raise
    return Segment(path, first, first - 1), fd


def write_at(fd: int, data: bytes | bytearray, offset: int) -> None:
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.pwrite(fd, view[done:], offset + done)


class SegmentLog:
    """The segments of a directory, oldest first; the last one is written to. Build it with `recovery.recover`."""

    def __init__(self, directory: Path, segments: list[Segment], fd: int, *, segment_bytes: int, fsync: Fsync) -> None:
        self._directory = directory
        self._segments = segments
        self._fd = fd
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        self._forgotten = 0
        self._torn = False

    @property
    def last(self) -> int:
        """The highest number on disk; 0 when nothing was ever written."""
        return self._segments[-1].last

    @property
    def size(self) -> int:
        """Bytes in all segments."""
        return sum(segment.size for segment in self._segments)

    def commit(self, payloads: Sequence[bytes]) -> Committed:
        """Write as many payloads as fit into one segment, at least one, with one fsync.

        Raises `OSError`; nothing of the batch counts as written then, and the next commit may succeed.
        """
        try:
            self._cut_torn_tail()
            active = self._segments[-1]
            if not active.empty and active.size + HEADER_SIZE + len(payloads[0]) > self._segment_bytes:
                active = self._roll()
            batch = bytearray()
            ends: list[int] = []
            for place, payload in enumerate(payloads):
                if place and active.size + len(batch) + HEADER_SIZE + len(payload) > self._segment_bytes:
                    break
                batch += encode(active.last + 1 + place, place, payload)
                ends.append(active.size + len(batch))
            self._torn = True
            write_at(self._fd, batch, active.size)
            self._fsync(self._fd)
            self._torn = False
        except OSError:
            with suppress(OSError):
                self._cut_torn_tail()
            raise
        first = active.last + 1
        for place, end in enumerate(ends):
            active.note(first + place, active.size, end)
        return Committed(first, len(ends), self.size)

    def read(self, after: int, upto: int, budget: int) -> list[tuple[int, bytes]]:
        """The next entries above `after`, of one segment and of about `budget` bytes. Empty when there are none."""
        index = bisect_right(self._segments, after, key=lambda segment: segment.last)
        if index == len(self._segments):
            return []
        segment = self._segments[index]
        found: list[tuple[int, bytes]] = []
        offset = segment.offset_before(after + 1)
        with segment.path.open("rb") as file:
            file.seek(offset)
            while offset < segment.size and budget > 0:
                header = file.read(HEADER_SIZE)
                raw = header + file.read(payload_length(header) or 0)
                entry = decode(raw)
                if entry is None:
                    raise SpoolCorrupt(segment.path, offset, "an entry was damaged after it was written")
                if entry.sequence > upto:
                    break
                if entry.sequence > after:
                    found.append((entry.sequence, raw[entry.start :]))
                    budget -= len(raw)
                offset += len(raw)
        return found

    def forget(self, upto: int) -> int:
        """Delete the segments, but never the one written to, that hold nothing above `upto`. Returns the size left."""
        self._forgotten = max(self._forgotten, min(upto, self.last))
        count = bisect_right(self._segments[:-1], self._forgotten, key=lambda segment: segment.last)
        # Oldest first: a crash in between must not leave a hole.
        for segment in self._segments[:count]:
            segment.path.unlink(missing_ok=True)
        if count:
            del self._segments[:count]
            sync_directory(self._directory, self._fsync)
        return self.size

    def close(self) -> None:
        """Close the file; when everything is forgotten, leave an empty segment that only keeps the numbering."""
        with suppress(OSError):
            self._cut_torn_tail()
            if not self._segments[-1].empty and self._forgotten >= self.last:
                self._roll()
        os.close(self._fd)

    def _roll(self) -> Segment:
        segment, fd = create_segment(self._directory, self.last + 1, self._fsync)
        os.close(self._fd)
        self._fd = fd
        self._segments.append(segment)
        self.forget(self._forgotten)
        return segment

    def _cut_torn_tail(self) -> None:
        if self._torn:
            os.ftruncate(self._fd, self._segments[-1].size)
            self._torn = False


def spool_error(directory: Path, error: OSError) -> SpoolFailed:
    """What the disk said, as an error that callers of a spool know."""
    if error.errno in _NO_ROOM:
        return SpoolFull(f"{directory}: the disk has no room: {error.strerror}")
    return SpoolError(f"{directory}: the disk failed: {error.strerror}")

"""Server-sent events as bytes: cutting a stream into frames, reading a frame, writing one.

What the data means is for the wires; where the bytes come from and go to is for the callers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Each ends at a byte that needs no look at the next one, so where a chunk is cut can never change a frame.
# `\r\n\r\n` ends in `\n\r\n`, and `\r\n\n` in `\n\n`.
_BOUNDARY = re.compile(rb"\n\n|\n\r\n|\r\r")
_MARKS = (b"\n\n", b"\n\r\n", b"\r\r")
_LONGEST_BOUNDARY = 3
_LINE_BREAK = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

FRAME_LIMIT = 4 * 1024 * 1024


class SseSplitter:
    """Cuts a byte stream into frames. A frame keeps its ending, so all frames and the `remainder` are the stream."""

    __slots__ = ("_limit", "_pending")

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._limit = limit
        self._pending = bytearray()

    @property
    def remainder(self) -> bytes:
        """Bytes after the last complete frame. Not empty at the end of a stream that was cut."""
        return bytes(self._pending)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Frames that `chunk` completes. Raises `ValueError` when a frame grows beyond the limit."""
        # A paced stream brings one whole event at a time; that case costs no regular expression.
        if not self._pending and chunk.find(b"\n\n") == len(chunk) - 2 >= 0 and b"\r" not in chunk:
            self._check(len(chunk))
            return [chunk]
        if self._pending:
            start = max(0, len(self._pending) - _LONGEST_BOUNDARY + 1)
            self._pending += chunk
            if not _BOUNDARY.search(self._pending, start):
                self._check(len(self._pending))
                return []
            chunk = bytes(self._pending)
            self._pending.clear()
        frames: list[bytes] = []
        begin = 0
        for match in _BOUNDARY.finditer(chunk):
            end = match.end()
            self._check(end - begin)
            frames.append(chunk[begin:end])
            begin = end
        self._check(len(chunk) - begin)
        self._pending += chunk[begin:]
        return frames

    def block(self, chunk: bytes) -> bytes:
        """As `feed`, but all completed frames in one piece: for whoever only passes them on."""
        if not self._pending and chunk.endswith(b"\n\n"):
            return chunk
        return b"".join(self.feed(chunk))

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise ValueError(f"an event of more than {self._limit} bytes")


def frames(block: bytes) -> Iterator[bytes]:
    """The frames of a block that `SseSplitter` completed, one after the other."""
    begin = 0
    for match in _BOUNDARY.finditer(block):
        yield block[begin : match.end()]
        begin = match.end()


def frame_around(block: bytes, position: int, since: int = 0) -> tuple[int, int]:
    """Begin and end of the frame that holds `position`, in a block that `SseSplitter` completed. `since` is where an
    earlier frame ended: nothing before it is looked at."""
    found = ((block.rfind(mark, since, position), len(mark)) for mark in _MARKS)
    begin = max((at + length for at, length in found if at >= 0), default=since)
    match = _BOUNDARY.search(block, position)
    return begin, match.end() if match is not None else len(block)


def parse_frame(frame: bytes) -> tuple[str | None, bytes]:
    """Event name and data of a frame. Data is empty for comments and blank frames; several data lines are joined."""
    name: str | None = None
    data: list[bytes] = []
    for line in frame.removeprefix(_BYTE_ORDER_MARK).splitlines():
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode(errors="replace")
    return name, data[0] if len(data) == 1 else b"\n".join(data)


def frame(data: bytes, event: str | None = None) -> bytes:
    """One frame. Line breaks inside `data` become data lines of their own."""
    if b"\n" in data or b"\r" in data:
        data = _LINE_BREAK.sub(b"\ndata: ", data)
    if event is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"

"""Frames of `text/event-stream`, written and read.

What a frame's data means is the protocol's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PING: Final = b": ping\n\n"
"""A comment that keeps an idle connection open."""

HEADERS: Final = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
"""What an event stream's head says, so that nobody on the way holds it back."""


@dataclass(frozen=True, slots=True)
class Event:
    """A frame that came in. `id` is the last one that the stream named, `retry` is in ms."""

    data: str
    name: str = "message"
    id: str | None = None
    retry: int | None = None


class TooLarge(ValueError):
    """A frame above the bound."""


def frame(data: bytes, *, id: str | None = None, retry: int | None = None) -> bytes:
    """A frame of event `message`. `data` is one line (compact JSON is)."""
    head = b"" if id is None else b"id: " + id.encode() + b"\n"
    if retry is not None:
        head += b"retry: %d\n" % retry
    return head + b"event: message\ndata: " + data + b"\n\n"


def priming(id: str, retry: int | None = None) -> bytes:
    """A frame without data, from which a client may resume."""
    head = b"id: " + id.encode() + b"\n"
    if retry is not None:
        head += b"retry: %d\n" % retry
    return head + b"data: \n\n"


class Reader:
    """Puts frames together from a stream's chunks, however it is cut. Holds at most `most_bytes` of an unfinished
    frame, and looks at each byte once: a frame of megabytes costs no more than many small ones."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._rest: list[bytes] = []
        self._waiting = 0
        self._held = 0
        self._after_cr = False
        self._first = True
        self._data: list[bytes] = []
        self._name = "message"
        self._id: str | None = None
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The frames that `chunk` completes. Raises `TooLarge`."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        events: list[Event] = []
        if b"\n" in chunk or b"\r" in chunk:
            lines = b"".join((*self._rest, chunk)).splitlines(keepends=True)
            self._after_cr = lines[-1].endswith(b"\r")
            unfinished = b"" if lines[-1].endswith((b"\n", b"\r")) else lines.pop()
            self._rest, self._waiting = [unfinished], len(unfinished)
            for line in lines:
                event = self._line(line.rstrip(b"\r\n"))
                if event is not None:
                    events.append(event)
        elif chunk:
            self._rest.append(chunk)
            self._waiting += len(chunk)
        self._check(self._held + self._waiting)
        return events

    def _check(self, size: int) -> None:
        if size > self._most:
            raise TooLarge(f"a frame of the event stream is larger than {self._most} bytes")

    def _line(self, line: bytes) -> Event | None:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._end()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._held += len(value)
            self._check(self._held)
        elif field == b"event":
            self._name = value.decode(errors="replace") or "message"
        elif field == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        elif field == b"retry" and value.isdigit():
            self._retry = int(value[:12])
        return None

    def _end(self) -> Event | None:
        data, name, retry = self._data, self._name, self._retry
        self._data, self._name, self._held, self._retry = [], "message", 0, None
        if not data and retry is None and self._id is None:
            return None
        return Event(b"\n".join(data).decode(errors="replace"), name, self._id, retry)

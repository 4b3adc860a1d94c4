"""The moves a reply is made of: bytes to send, pauses, holding still and closing the connection.
Steps know HTTP framing and nothing of any model provider's wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus


class Part(Enum):
    """Which part of a response the bytes belong to; `EVENT` is one server-sent event."""

    HEAD = auto()
    BODY = auto()
    EVENT = auto()


@dataclass(frozen=True, slots=True)
class Send:
    data: bytes
    part: Part = Part.BODY


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing more, and keep the connection until the client gives up."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection: orderly, or with a TCP reset."""

    reset: bool = False


Step = Send | Pause | Hold | Close


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers still without framing, which the shape of the body decides."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, **framing: str) -> Send:
        """Encode with framing headers (underscores become dashes); the reply's own headers win."""
        merged = {name.replace("_", "-"): value for name, value in framing.items()}
        merged |= {name.lower(): value for name, value in self.headers.items()}
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Scripted"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in merged.items())]
        return Send("\r\n".join([*lines, "", ""]).encode("latin-1"), Part.HEAD)


def whole(head: Head, body: bytes, content_type: str) -> Iterator[Step]:
    """A response of known length."""
    yield head.send(content_type=content_type, content_length=str(len(body)))
    if body:
        yield Send(body)


def chunk(data: bytes, part: Part = Part.EVENT) -> Send:
    return Send(b"%x\r\n%b\r\n" % (len(data), data), part)


def event_stream(head: Head, events: Iterable[bytes | Pause]) -> Iterator[Step]:
    """A chunked `text/event-stream` response: one HTTP chunk an event."""
    yield head.send(content_type="text/event-stream", cache_control="no-cache", transfer_encoding="chunked")
    for event in events:
        yield event if isinstance(event, Pause) else chunk(event)
    yield Send(b"0\r\n\r\n")


def paced(events: Iterable[bytes], *, first_delay: float, gap: float) -> Iterator[bytes | Pause]:
    """Put `first_delay` seconds before the first event and `gap` seconds between events."""
    for place, event in enumerate(events):
        seconds = gap if place else first_delay
        if seconds > 0:
            yield Pause(seconds)
        yield event


def until_events(steps: Iterable[Step], count: int, ending: Step) -> Iterator[Step]:
    """Follow `steps` through the head and `count` events, then do `ending` instead of the rest."""
    for step in steps:
        if count <= 0 and isinstance(step, Send) and step.part is not Part.HEAD:
            break
        yield step
        if isinstance(step, Send) and step.part is Part.EVENT:
            count -= 1
            if count == 0:
                break
    yield ending


def until_bytes(steps: Iterable[Step], count: int, ending: Step, *, skip_head: bool = False) -> Iterator[Step]:
    """Follow `steps` for `count` bytes on the wire (after the head, if it is skipped), then do `ending`."""
    for step in steps:
        if not isinstance(step, Send) or (skip_head and step.part is Part.HEAD):
            yield step
            continue
        if count > 0:
            yield Send(step.data[:count], step.part)
            count -= len(step.data)
        if count <= 0:
            break
    yield ending


def chopped(steps: Iterable[Step], size: int, gap: float, *, head_too: bool = True) -> Iterator[Step]:
    """Send the same bytes in writes of at most `size`, `gap` seconds apart."""
    for step in steps:
        if not isinstance(step, Send) or (step.part is Part.HEAD and not head_too):
            yield step
            continue
        for start in range(0, len(step.data), size):
            yield Send(step.data[start : start + size], step.part)
            yield Pause(gap)

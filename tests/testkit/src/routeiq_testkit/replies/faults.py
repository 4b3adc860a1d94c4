"""Replies of an upstream in trouble: silence, cuts, garbage, slow and huge bodies, torn streams.
Errors an upstream states properly are not here but with their wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal, Self

from routeiq_testkit import openai_wire as wire
from routeiq_testkit import steps
from routeiq_testkit.recording import RecordedRequest
from routeiq_testkit.steps import Close, Head, Hold, Part, Send, Step

from .base import BaseReply
from .openai import DEFAULT_TEXT, OpenAIReplies

SseFlaw = Literal["json", "field", "utf8", "unfinished"]

_FLAWS: Mapping[SseFlaw, bytes] = {
    "json": b'data: {"id": "chatcmpl-broken", "choices": [{"delta": \n\n',
    "field": b"this line has no field name, and neither has the next\n<oops>\n\n",
    "utf8": b'data: {"id": "chatcmpl-broken", "choices": [], "note": "\xff\xfe"}\n\n',
    "unfinished": b'data: {"id": "chatcmpl-unfinished", "choices": []',
}
_HTML = """<html>
<head><title>{status} Error</title></head>
<body><center><h1>{status} Error</h1></center><hr><center>scripted proxy</center></body>
</html>
"""
_NOISE = bytes(range(128, 256)) + b"\r\n\r\n" + bytes(range(32))
_FILLING = b"x" * 65536


class FaultReplies(OpenAIReplies):
    """Without `of`, a fault happens to a stream if it counts events and to a plain chat completion otherwise."""

    @classmethod
    def hang(cls, *, after_events: int | None = None, of: BaseReply | None = None) -> Self:
        """Send nothing at all, or fall silent after some events; the connection stays open until the client leaves."""
        if after_events is None:
            return cls("hang", lambda request, head: [Hold()])
        return cls._stopped("hang", of or cls.stream(), Hold(), after_events=after_events)

    @classmethod
    def cut(
        cls,
        *,
        after_bytes: int | None = None,
        after_body_bytes: int | None = None,
        after_events: int | None = None,
        of: BaseReply | None = None,
        reset: bool = False,
    ) -> Self:
        """Break the connection: at once, or after bytes on the wire, bytes behind the head, or whole events."""
        if sum(count is not None for count in (after_bytes, after_body_bytes, after_events)) > 1:
            raise ValueError("cut takes one of after_bytes, after_body_bytes and after_events")
        ending = Close(reset=reset)
        if after_events is not None:
            return cls._stopped("cut", of or cls.stream(), ending, after_events=after_events)
        source = of or cls.chat()
        skip_head = after_body_bytes is not None
        count = after_body_bytes if after_body_bytes is not None else after_bytes or 0
        return cls(
            "cut",
            lambda request, head: steps.until_bytes(source.steps(request), count, ending, skip_head=skip_head),
        )

    @classmethod
    def garbage(cls) -> Self:
        """Bytes that are not HTTP."""
        return replace(cls.raw(_NOISE), name="garbage")

    @classmethod
    def not_json(cls, text: str = '{"id": "chatcmpl-broken", "choices": [') -> Self:
        """Status 200 and the content type of JSON, with a body that is not."""
        return cls._whole("not json", lambda request: text.encode())

    @classmethod
    def empty(cls, status: int = 200) -> Self:
        """A JSON content type and no body at all."""
        return cls._whole("empty", lambda request: b"", status=status)

    @classmethod
    def html(cls, status: int = 502) -> Self:
        """The error page of some proxy in between."""
        page = _HTML.format(status=status).encode()
        return cls._whole("html", lambda request: page, content_type="text/html", status=status)

    @classmethod
    def redirect(cls, location: str, status: int = 307) -> Self:
        """Send the client elsewhere."""
        return cls._whole("redirect", lambda request: b"", status=status, headers={"location": location})

    @classmethod
    def malformed_sse(cls, flaw: SseFlaw = "json", *, after_events: int = 1) -> Self:
        """A stream with a broken event after some good ones; "unfinished" ends there, others go on to `[DONE]`."""

        def events(request: RecordedRequest) -> Iterable[bytes]:
            good = wire.chat_events(request, ("Hello", " from", " upstream"))
            for place, event in enumerate(good):
                if place == after_events:
                    yield _FLAWS[flaw]
                    if flaw == "unfinished":
                        return
                yield event

        return cls._events(f"malformed sse: {flaw}", events)

    @classmethod
    def huge(cls, mib: float, *, stream: bool = False) -> Self:
        """A valid chat completion with this much text in it, or a stream with all of it in one event."""
        size = int(mib * 1024 * 1024)
        marker = "@filling@"

        def content(request: RecordedRequest, head: Head) -> Iterator[Step]:
            if stream:
                events = list(wire.chat_events(request, [marker]))
                template = b"".join(events)
            else:
                template = wire.encode(wire.chat(request, marker))
            before, after = template.split(marker.encode())
            yield head.send(
                content_type="text/event-stream" if stream else "application/json",
                content_length=str(len(before) + size + len(after)),
            )
            yield Send(before)
            for start in range(0, size, len(_FILLING)):
                yield Send(_FILLING[: size - start])
            yield Send(after)

        return cls(f"huge: {mib} MiB", content)

    @classmethod
    def slow_body(cls, text: str = DEFAULT_TEXT, *, chunk_bytes: int = 16, gap: float = 0.05) -> Self:
        """The head at once, then the body a few bytes at a time."""
        source = cls.chat(text)

        def content(request: RecordedRequest, head: Head) -> Iterable[Step]:
            return steps.chopped(source.content(request, head), chunk_bytes, gap, head_too=False)

        return cls("slow body", content)

    @classmethod
    def raw(cls, data: bytes, *, close: bool = True) -> Self:
        """Exactly these bytes, and the end of the connection unless told otherwise."""
        sending: list[Step] = [Send(data, Part.HEAD)]
        return cls("raw", lambda request, head: [*sending, Close()] if close else sending)

    @classmethod
    def _stopped(cls, name: str, source: BaseReply, ending: Step, *, after_events: int) -> Self:
        return cls(name, lambda request, head: steps.until_events(source.steps(request), after_events, ending))

"""Runs the plugins' stream filters over the text of a stream, whatever its wire.

Filters see text only; this module puts what they let through back into events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from routeiq.request import frames
from routeiq.wires import sse
from routeiq_sdk import Stop, StreamFilter

MakeFilters = Callable[[], Sequence[StreamFilter]]


class Stopped(Exception):
    """A filter ended the stream."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        super().__init__(stop.reason)


class StreamGuard:
    """One stream's filters. Where a wire has several text blocks, each block gets fresh filters, since held-back text
    cannot move from one block to the next."""

    def __init__(self, make: MakeFilters, rules: frames.FrameRules) -> None:
        self._make = make
        self._rules = rules
        self._filters: Sequence[StreamFilter] | None = make()
        self._last: frames.Frame | None = None

    def feed(self, block: bytes) -> bytes:
        """What of a block may go out. Raises `Stopped`."""
        out: list[bytes] = []
        for raw in sse.SseSplitter().feed(block):
            frame = frames.parse(raw)
            document = frame.document
            text = self._rules.text(document) if document is not None else None
            if document is not None and text is not None:
                self._last = frame
                passed = "".join(self._through(text))
                if self._rules.closes_text(document):
                    passed += self._flush()
                if passed or self._rules.closes_text(document):
                    out.append(frames.write(frame, self._rules.with_text(document, passed)))
                continue
            if document is None or self._rules.closes_text(document):
                held = self._held()
                if held:
                    out.append(held)
            out.append(raw)
        return b"".join(out)

    def end(self) -> bytes:
        """What was held back when the stream ended without saying so."""
        return self._held()

    def _held(self) -> bytes:
        if self._last is None or self._last.document is None:
            return b""
        frame, document = self._last, self._last.document
        text = self._flush()
        return frames.write(frame, self._rules.with_text(document, text)) if text else b""

    def _through(self, text: str) -> list[str]:
        if self._filters is None:
            self._filters = self._make()
        pieces = [text]
        for item in self._filters:
            passed: list[str] = []
            for piece in pieces:
                answer = item.feed(piece)
                if isinstance(answer, Stop):
                    raise Stopped(answer)
                passed += answer
            pieces = passed
        return pieces

    def _flush(self) -> str:
        filters, self._filters, self._last = self._filters or (), None, None
        pieces: list[str] = []
        for item in filters:
            passed: list[str] = []
            for piece in pieces:
                answer = item.feed(piece)
                if isinstance(answer, Stop):
                    raise Stopped(answer)
                passed += answer
            closing = item.end()
            if isinstance(closing, Stop):
                raise Stopped(closing)
            pieces = passed + closing
        return "".join(pieces)

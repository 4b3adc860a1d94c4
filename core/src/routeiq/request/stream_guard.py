"""Runs the plugins' stream filters over the text of a stream, whatever its wire.

Filters see text only; this module puts what they let through back into events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from routeiq.errors import Errors
from routeiq.plugins.compiled import Call
from routeiq.request import frames, gates
from routeiq.wires import sse
from routeiq_sdk import Context, RequestError, Stop, StreamFilter

MakeFilters = Callable[[], Sequence[StreamFilter]]


class Stopped(Exception):
    """A filter ended the stream."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        super().__init__(stop.reason)


class WatchedFilter:
    """A plugin's filter, whose time is measured and whose failure refuses in the plugin's name."""

    __slots__ = ("_call", "_ctx", "_errors", "_filter")

    def __init__(self, item: StreamFilter, call: Call, ctx: Context, errors: Errors) -> None:
        self._filter = item
        self._call = call
        self._ctx = ctx
        self._errors = errors

    def feed(self, delta: str) -> list[str] | Stop:
        """The filter's answer to a piece of text. Raises `RequestError` when it has none."""
        return self._answer(self._filter.feed, delta)

    def end(self) -> list[str] | Stop:
        """The filter's last answer. Raises `RequestError` when it has none."""
        return self._answer(self._filter.end)

    def _answer(self, ask: Callable[..., list[str] | Stop], *text: str) -> list[str] | Stop:
        started = time.perf_counter_ns()
        try:
            answer = ask(*text)
            if not isinstance(answer, Stop):
                "".join(answer)
            else:
                gates.ruled(self._call, self._ctx, answer)
            return answer
        except Exception as error:
            gates.failed(self._call, self._ctx, error)
            raise self._errors.plugin_failed(self._call.plugin, self._call.hook) from None
        finally:
            self._call.stats.total_ns += time.perf_counter_ns() - started


class StreamGuard:
    """One stream's filters. Where a wire has several text blocks, each block gets fresh filters, since held-back text
    cannot move from one block to the next. Once a filter ended the stream, `refusal` says how."""

    def __init__(self, make: MakeFilters, rules: frames.FrameRules) -> None:
        self._make = make
        self._rules = rules
        self._filters: Sequence[StreamFilter] | None = make()
        self._last: frames.Frame | None = None
        self.refusal: Stopped | RequestError | None = None

    def feed(self, block: bytes) -> bytes:
        """What of a block may go out; how events were gathered into blocks makes no difference."""
        out: list[bytes] = []
        try:
            self._feed(block, out)
        except (Stopped, RequestError) as refusal:
            self.refusal = refusal
        return b"".join(out)

    def _feed(self, block: bytes, out: list[bytes]) -> None:
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

    def end(self) -> bytes:
        """What was held back when the stream ended without saying so."""
        try:
            return self._held()
        except (Stopped, RequestError) as refusal:
            self.refusal = refusal
            return b""

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

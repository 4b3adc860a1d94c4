"""Filters of streams: what can no longer change goes out, the rest is held.

What is looked for lives in the scans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from routeiq_guard_content.schemas import Schema
from routeiq_guard_content.spans import Groups, Looker, Span
from routeiq_sdk import Stop

LONGEST_HELD = 64 * 1024
LONGEST_DOCUMENT = 4 * 1024 * 1024

Refuse = Callable[[str], Stop]
"""The stop that says what was found."""
_TOO_LONG = Stop("The answer cannot be judged: too much of it may still become what a guardrail looks for.")


class Watching:
    """Replaces what is found, or stops. The outcome is that of the whole text."""

    def __init__(self, lookers: Sequence[Looker], refuse: Refuse) -> None:
        self._scans = [looker.scan() for looker in lookers]
        self._refuse = refuse
        self._groups = Groups()
        self._held = ""
        self._base = 0

    def feed(self, delta: str) -> list[str] | Stop:
        """Go on by a piece."""
        self._held += delta
        stop = self._found([scan.feed(delta) for scan in self._scans])
        return stop or self._out(min(scan.safe for scan in self._scans))

    def end(self) -> list[str] | Stop:
        """The text is over."""
        stop = self._found([scan.end() for scan in self._scans])
        return stop or self._out(self._base + len(self._held) + 1)

    def _found(self, found: Sequence[Sequence[Span]]) -> Stop | None:
        refused = {span.label for spans in found for span in spans if span.replacement is None}
        if refused:
            return self._refuse(", ".join(sorted(refused)))
        for order, spans in enumerate(found):
            self._groups.add(order, spans)
        return None

    def _out(self, cut: int) -> list[str] | Stop:
        out: list[str] = []
        for change in self._groups.until(cut):
            out += (self._taken(change.start), change.replacement or "")
            self._taken(change.end)
        if self._groups.begun is not None:
            out.append(self._taken(self._groups.begun))
            self._taken(cut)  # it is replaced, however far that goes
        else:
            out.append(self._taken(cut))
        if len(self._held) > LONGEST_HELD:
            return _TOO_LONG
        text = "".join(out)
        return [text] if text else []

    def _taken(self, until: int) -> str:
        length = max(0, until - self._base)
        taken, self._held = self._held[:length], self._held[length:]
        self._base += len(taken)
        return taken


class LookingOn:
    """Lets everything pass at once and tells what it saw."""

    def __init__(self, lookers: Sequence[Looker], saw: Callable[[str], object]) -> None:
        self._scans = [looker.scan() for looker in lookers]
        self._saw = saw

    def feed(self, delta: str) -> list[str] | Stop:
        """Go on by a piece."""
        self._tell([span for scan in self._scans for span in scan.feed(delta)])
        return [delta]

    def end(self) -> list[str] | Stop:
        """The text is over."""
        self._tell([span for scan in self._scans for span in scan.end()])
        return []

    def _tell(self, spans: Sequence[Span]) -> None:
        if spans:
            self._saw(", ".join(sorted({span.label for span in spans})))


class Limited:
    """Stops before the text is longer than it may be."""

    def __init__(self, most: int, exceeded: Callable[[], Stop | None]) -> None:
        self._left = most
        self._exceeded = exceeded

    def feed(self, delta: str) -> list[str] | Stop:
        """Count a piece."""
        before, self._left = self._left, self._left - len(delta)
        stop = self._exceeded() if before >= 0 > self._left else None
        return stop or [delta]

    def end(self) -> list[str] | Stop:
        """Nothing is held."""
        return []


class Valid:
    """Holds a text until it is whole, and lets it out if it is what the schema asks for."""

    def __init__(self, schema: Schema, invalid: Callable[[str], Stop | None], *, hold: bool) -> None:
        self._schema = schema
        self._invalid = invalid
        self._hold = hold
        self._pieces: list[str] = []
        self._length = 0

    def feed(self, delta: str) -> list[str] | Stop:
        """Hold a piece."""
        self._pieces.append(delta)
        self._length += len(delta)
        if self._length > LONGEST_DOCUMENT:
            return _TOO_LONG
        return [] if self._hold else [delta]

    def end(self) -> list[str] | Stop:
        """Judge the whole."""
        text = "".join(self._pieces)
        problem = self._schema.problem(text)
        stop = self._invalid(problem) if problem is not None else None
        return stop or ([text] if self._hold and text else [])

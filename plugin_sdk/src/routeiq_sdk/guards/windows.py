"""Stream filters that look at a text as it grows: what can be judged goes out, the rest is held.

How a text is judged is given to them; no wire is known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from routeiq_sdk.filters import AsyncStreamFilter, StreamFilter
from routeiq_sdk.values.verdict import Stop

LONGEST_HELD = 16 * 1024
"""Characters. A text that never settles is judged in pieces of this size, so a finding that is longer may be missed."""
LONGEST_ARGUMENTS = 1024 * 1024
_TOO_LONG = Stop("The arguments of a tool call are longer than the guard can check.")

Judge = Callable[[str], str | Stop]
"""What a text becomes, or the stop."""


def last_separator(text: str) -> int:
    """Where the last word of a text begins: the plain answer to what is settled, for findings without white space."""
    if not text or text[-1].isspace():
        return len(text)
    return len(text) - len(text.rsplit(None, 1)[-1])


class Window:
    """Judges what has settled, once, and holds the rest back. Each character is judged in one piece with its word."""

    def __init__(self, judge: Judge, settled: Callable[[str], int]) -> None:
        self._judge = judge
        self._settled = settled
        self._held = ""

    def feed(self, delta: str) -> list[str] | Stop:
        """Judge what the piece settles."""
        self._held += delta
        cut = self._settled(self._held)
        if cut <= 0:
            if len(self._held) <= LONGEST_HELD:
                return []
            cut = len(self._held) - LONGEST_HELD // 2
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._judged(ready)

    def end(self) -> list[str] | Stop:
        """Judge the rest."""
        ready, self._held = self._held, ""
        return self._judged(ready) if ready else []

    def _judged(self, text: str) -> list[str] | Stop:
        answer = self._judge(text)
        return answer if isinstance(answer, Stop) else [answer]


class WholeJson:
    """Holds the arguments of a tool call until they are whole, then judges every text in them: half a JSON document can
    hide in its escapes what the whole one says. Nobody can use half of it either."""

    def __init__(self, judge: Callable[[str], str | Stop]) -> None:
        self._judge = judge
        self._pieces: list[str] = []
        self._length = 0

    def feed(self, delta: str) -> list[str] | Stop:
        """Hold the piece."""
        self._pieces.append(delta)
        self._length += len(delta)
        return _TOO_LONG if self._length > LONGEST_ARGUMENTS else []

    def end(self) -> list[str] | Stop:
        """Judge the whole."""
        whole, self._pieces = "".join(self._pieces), []
        if not whole:
            return []
        answer = self._judge(whole)
        return answer if isinstance(answer, Stop) else [answer]


class Chain:
    """Several filters, one after the other."""

    def __init__(self, filters: Sequence[StreamFilter]) -> None:
        self._filters = filters

    def feed(self, delta: str) -> list[str] | Stop:
        """Through all of them."""
        return _through(self._filters, [delta], closing=False)

    def end(self) -> list[str] | Stop:
        """The rest of each, through those that follow."""
        return _through(self._filters, [], closing=True)


class AsyncChain:
    """Several filters, one after the other, of which some may wait."""

    def __init__(self, filters: Sequence[StreamFilter | AsyncStreamFilter]) -> None:
        self._filters = filters

    async def feed(self, delta: str) -> list[str] | Stop:
        """Through all of them."""
        return await _through_waiting(self._filters, [delta], closing=False)

    async def end(self) -> list[str] | Stop:
        """The rest of each, through those that follow."""
        return await _through_waiting(self._filters, [], closing=True)


def chained(filters: Sequence[StreamFilter | AsyncStreamFilter]) -> StreamFilter | AsyncStreamFilter | None:
    """One filter that is all of them; `None` for none."""
    if len(filters) < 2:
        return filters[0] if filters else None
    chain: Any = AsyncChain if any(inspect.iscoroutinefunction(item.feed) for item in filters) else Chain
    made: StreamFilter | AsyncStreamFilter = chain(filters)
    return made


def _through(filters: Sequence[StreamFilter], pieces: list[str], *, closing: bool) -> list[str] | Stop:
    for item in filters:
        passed: list[str] = []
        for piece in pieces:
            answer = item.feed(piece)
            if isinstance(answer, Stop):
                return answer
            passed += answer
        if closing:
            rest = item.end()
            if isinstance(rest, Stop):
                return rest
            passed += rest
        pieces = passed
    return pieces


async def _through_waiting(
    filters: Sequence[StreamFilter | AsyncStreamFilter], pieces: list[str], *, closing: bool
) -> list[str] | Stop:
    for item in filters:
        passed: list[str] = []
        for piece in pieces:
            answer = await _given(item.feed(piece))
            if isinstance(answer, Stop):
                return answer
            passed += answer
        if closing:
            rest = await _given(item.end())
            if isinstance(rest, Stop):
                return rest
            passed += rest
        pieces = passed
    return pieces


async def _given(answer: list[str] | Stop | Awaitable[list[str] | Stop]) -> list[str] | Stop:
    return answer if isinstance(answer, list | Stop) else await answer

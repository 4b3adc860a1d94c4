"""What scans report, and how reports that overlap become one.

How each scan finds is its own business.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from routeiq_sdk.guards import Finding

ENDLESS = 1 << 62
"""The end of a span that has begun and is not over."""


@dataclass(slots=True)
class Span:
    """Characters `start` to `end` of a text are a `label`. A span that is `ENDLESS` is given its end later.

    `rank` orders the spans of one scan that begin at one place; no two of them share it.
    """

    start: int
    end: int
    label: str
    replacement: str | None
    rank: int = 0


class Scan(Protocol):
    """Looks at one text as it grows. A fresh one is made for each text."""

    @property
    def safe(self) -> int:
        """No span that is yet to come begins before this place."""

    def feed(self, text: str) -> list[Span]:
        """The spans that are certain now, whatever follows."""

    def end(self) -> list[Span]:
        """The text is over: the rest of the spans."""


class Looker(Protocol):
    """Makes scans."""

    def scan(self) -> Scan:
        """For a text that grows."""

    def whole(self, text: str) -> list[Span]:
        """What a scan finds in a whole text; it may take a shorter way."""


def fed(scan: Scan, text: str) -> list[Span]:
    """The spans of a whole text."""
    return [*scan.feed(text), *scan.end()]


class Groups:
    """Spans that overlap become one change of the text: the first of them says what is written, the last where it ends.

    Of spans that begin at one place, that of the earlier scan is the first, then that of the lower rank.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[tuple[int, int, int], Span]] = []
        self._group: list[Span] = []

    def add(self, order: int, spans: Sequence[Span]) -> None:
        """Spans of the scan with this number."""
        for span in spans:
            heapq.heappush(self._waiting, ((span.start, order, span.rank), span))

    @property
    def begun(self) -> int | None:
        """Where a change begins that is not over."""
        return self._group[0].start if self._group else None

    def until(self, cut: int) -> Iterator[Finding]:
        """The changes that are over before `cut`, where no span that begins before it is missing."""
        while self._group or (self._waiting and self._waiting[0][1].start < cut):
            if not self._group:
                self._group.append(heapq.heappop(self._waiting)[1])
            end = max(span.end for span in self._group)
            while self._waiting and self._waiting[0][1].start < min(end, cut):
                self._group.append(heapq.heappop(self._waiting)[1])
                end = max(end, self._group[-1].end)
            if end > cut:
                self._group = [self._group[0], *(span for span in self._group[1:] if span.end > cut)]
                return
            first, *_ = self._group
            labels = ", ".join(sorted({span.label for span in self._group}))
            self._group = []
            yield Finding(first.start, end, labels, first.replacement)

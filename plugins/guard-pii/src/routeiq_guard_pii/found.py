"""What a recogniser says it found, and which of several overlapping ones counts.

What becomes of it is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol


class Found(NamedTuple):
    """Characters `start` to `end` are an `entity`, as surely as `score` says: 0 to 1."""

    start: int
    end: int
    entity: str
    score: float


class Recogniser(Protocol):
    """A set of recognisers."""

    def find(self, text: str) -> list[Found]:
        """What stands in the text. Findings may overlap."""

    def settled(self, text: str) -> int:
        """As `Inspector.settled`."""


def certain(found: Iterable[Found], thresholds: Mapping[str, float]) -> list[Found]:
    """Those whose score reaches their entity's threshold, or that of `ALL`."""
    least = thresholds.get("ALL", 0.0)
    return [each for each in found if each.score >= thresholds.get(each.entity, least)]


def apart(found: Collection[Found]) -> list[Found]:
    """Without overlaps: the surest gives its name to all that it overlaps with; of equals the longest."""
    kept: list[Found] = []
    for each in sorted(found):
        if kept and each.start < kept[-1].end:
            last = kept[-1]
            surest = max(last, each, key=lambda one: (one.score, one.end - one.start))
            kept[-1] = Found(last.start, max(last.end, each.end), surest.entity, surest.score)
        else:
            kept.append(each)
    return kept

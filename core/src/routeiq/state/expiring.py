"""A mapping whose entries may have an end: lazily ignored once it is past, swept in bounded steps.

It knows no clock and no bounds; its owner passes the time and decides what is too much.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

V = TypeVar("V")

NEVER = math.inf
_SWEEP_STEPS = 16
_SLACK = 64


def _weightless(key: str, value: object) -> int:
    return 0


class ExpiringMap(Generic[V]):
    """Entries in the order they were last written. `weight` is the sum of `weigh` over all of them."""

    def __init__(self, weigh: Callable[[str, V], int] = _weightless) -> None:
        self.weight = 0
        self._weigh = weigh
        self._entries: dict[str, tuple[V, float]] = {}
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: float) -> V | None:
        entry = self._entries.get(key)
        return entry[0] if entry is not None and entry[1] > now else None

    def end(self, key: str) -> float:
        """When the entry ends; `NEVER` also when there is none."""
        entry = self._entries.get(key)
        return entry[1] if entry is not None else NEVER

    def set(self, key: str, value: V, end: float = NEVER) -> None:
        self.discard(key)
        self._entries[key] = (value, end)
        self.weight += self._weigh(key, value)
        if end != NEVER:
            heapq.heappush(self._ends, (end, key))
            # Rewriting one key again and again must not grow the heap.
            if len(self._ends) > 2 * len(self._entries) + _SLACK:
                self._ends = [(end, key) for key, (_, end) in self._entries.items() if end != NEVER]
                heapq.heapify(self._ends)

    def discard(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.weight -= self._weigh(key, entry[0])

    def weight_of(self, key: str) -> int | None:
        """What the entry of this key weighs, ended or not; `None` when there is none."""
        entry = self._entries.get(key)
        return self._weigh(key, entry[0]) if entry is not None else None

    def oldest(self) -> str | None:
        """The key that was written longest ago."""
        return next(iter(self._entries), None)

    def keys(self) -> Iterator[str]:
        """All keys, also of entries that have ended but are not swept yet."""
        return iter(self._entries)

    def sweep(self, now: float, steps: float = _SWEEP_STEPS) -> None:
        """Remove entries that have ended, at most `steps` of them."""
        while self._ends and self._ends[0][0] <= now and steps > 0:
            end, key = heapq.heappop(self._ends)
            steps -= 1
            # An older end of a key that was written again says nothing.
            if self.end(key) == end:
                self.discard(key)

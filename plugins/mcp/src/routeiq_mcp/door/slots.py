"""How many streams are open that wait more than they work: in all, and of one caller.

What flows on them is none of this module's business.
"""

from __future__ import annotations

from collections import Counter

from routeiq_mcp.door.options import DoorOptions


class Slot:
    """A place among the open streams. Give it back once the stream is over; twice is harmless."""

    __slots__ = ("_caller", "_slots")

    def __init__(self, slots: Slots, caller: str) -> None:
        self._slots: Slots | None = slots
        self._caller = caller

    def release(self) -> None:
        """Give the place back."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.released(self._caller)


class Slots:
    """All places of this process."""

    def __init__(self, options: DoorOptions) -> None:
        self._options = options
        self._of: Counter[str] = Counter()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Streams that are open now."""
        return self._taken

    def take(self, caller: str) -> Slot | None:
        """A place for a stream of `caller`; `None` when there is none left."""
        if self._taken >= self._options.streams or self._of[caller] >= self._options.streams_per_caller:
            return None
        self._taken += 1
        self._of[caller] += 1
        return Slot(self, caller)

    def released(self, caller: str) -> None:
        self._taken -= 1
        self._of[caller] -= 1
        if not self._of[caller]:
            del self._of[caller]

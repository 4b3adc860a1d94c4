"""A clock that stands still until a test moves it.

It never reads the machine's time.
"""

from __future__ import annotations

_START_NS = 1_700_000_000_000_000_000


class HeldClock:
    """Implements the SDK's `Clock`."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def now_ns(self) -> int:
        return _START_NS + int(self._seconds * 1e9)

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds

"""Leaves a service alone that failed several times in a row.

What a failure is, and what happens without a verdict, is decided elsewhere.
"""

from __future__ import annotations

from routeiq_sdk.gateway import Clock


class Breaker:
    """Closed, it lets all through. After `most` failures in a row it is open for `seconds`; then one call tries, and
    closes it or opens it again."""

    def __init__(self, most: int, seconds: float, clock: Clock) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._failures = 0
        self._opened: float | None = None
        self._trying = False

    def admits(self) -> bool:
        """Whether a call may go out. Each that does ends with `answered`, `failed` or `left`."""
        if self._opened is None:
            return True
        if self._trying or self._clock.monotonic() - self._opened < self._seconds:
            return False
        self._trying = True
        return True

    def answered(self) -> None:
        """The service is there."""
        self._failures, self._opened, self._trying = 0, None, False

    def failed(self) -> None:
        """It is not."""
        self._failures += 1
        self._trying = False
        if self._failures >= self._most:
            self._opened = self._clock.monotonic()

    def left(self) -> None:
        """Nobody waited for the answer."""
        self._trying = False

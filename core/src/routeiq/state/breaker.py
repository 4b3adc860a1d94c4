"""A circuit breaker before a store: while the store is away, calls fail at once and one probe at a time goes through.

What counts as a failure is decided by whoever calls the store.
"""

from __future__ import annotations

from routeiq_sdk.gateway import Clock

_FAILURES = 3
_PAUSE_SECONDS = 0.5


class Breaker:
    """Opens after `failures` in a row; lets a probe through every `pause` seconds; the first success closes it."""

    def __init__(self, clock: Clock, *, failures: int = _FAILURES, pause: float = _PAUSE_SECONDS) -> None:
        self._clock = clock
        self._most = failures
        self._pause = pause
        self._failures = 0
        self._probe_at = 0.0
        self.reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether calls are held back."""
        return self._failures >= self._most

    def admits(self) -> bool:
        """Whether a call may go to the store now. While open, saying so makes the caller the probe."""
        if not self.open:
            return True
        now = self._clock.monotonic()
        if now < self._probe_at:
            return False
        self._probe_at = now + self._pause
        return True

    def succeeded(self) -> None:
        """The store answered."""
        self._failures = 0
        self.reason = None

    def failed(self, reason: str, *, certain: bool = False) -> None:
        """The store did not answer; `certain` when one such failure says enough (nobody listens there)."""
        self._failures = self._most if certain else self._failures + 1
        self.reason = reason
        if self.open:
            self._probe_at = self._clock.monotonic() + self._pause

"""The core's own bound on requests in flight. Plugins may admit less, never more.

Adaptive admission is a plugin's business; this bound holds when every plugin fails.
"""

from __future__ import annotations


class InFlight:
    """Counts requests that are being served. Refusing one is cheap: nothing has been read of it but its head."""

    __slots__ = ("most", "now", "peak", "refused")

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0
        self.peak = 0
        self.refused = 0

    def enter(self) -> bool:
        """Take a place; `False` when there is none."""
        if self.now >= self.most:
            self.refused += 1
            return False
        self.now += 1
        if self.now > self.peak:
            self.peak = self.now
        return True

    def leave(self) -> None:
        """Give the place back."""
        self.now -= 1


class Place:
    """One request's place among those in flight. It is given back once, however often that is asked."""

    __slots__ = ("_held", "_in_flight")

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._held = False

    def enter(self) -> bool:
        """Take the place; `False` when there is none."""
        self._held = self._in_flight.enter()
        return self._held

    def leave(self) -> None:
        """Give it back."""
        if self._held:
            self._held = False
            self._in_flight.leave()

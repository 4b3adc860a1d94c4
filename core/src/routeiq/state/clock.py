"""The time of the machine, as the SDK's `Clock` wants it.

Clocks that a test can hold still live beside the tests.
"""

from __future__ import annotations

import time


class SystemClock:
    """Reads the operating system's clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

"""Who is served by something that must outlive them, such as a runtime whose successor is there.

What ends when nobody is left is its owner's business.
"""

from __future__ import annotations

import asyncio


class Users:
    """A count, and the wait until it is none."""

    __slots__ = ("_idle", "now")

    def __init__(self) -> None:
        self.now = 0
        self._idle = asyncio.Event()

    def enter(self) -> None:
        """Somebody is served, until `leave`."""
        self.now += 1

    def leave(self) -> None:
        """Somebody is served no more."""
        self.now -= 1
        if not self.now:
            self._idle.set()

    async def gone(self) -> None:
        """Wait until nobody is left."""
        while self.now:
            self._idle.clear()
            await self._idle.wait()

"""Requests that are answered and not yet settled, and how to wait for them: so that a client that asks for its spend,
or is refused by a budget, sees its own calls as they were.

Settling itself is `gate`'s.
"""

from __future__ import annotations

import asyncio

_MOST_SECONDS = 0.5


class Ending:
    """The settlements of this process that are due now."""

    def __init__(self) -> None:
        self._due: set[str] = set()
        self._waiting: list[tuple[set[str], asyncio.Future[None]]] = []

    @property
    def any(self) -> bool:
        """Whether one is due."""
        return bool(self._due)

    def begun(self, request_id: str) -> None:
        """The provider has answered this request."""
        self._due.add(request_id)

    def over(self, request_id: str) -> None:
        """It is settled, or has failed to be for now."""
        self._due.discard(request_id)
        for due, done in self._waiting:
            due.discard(request_id)
            if not due and not done.done():
                done.set_result(None)

    async def wait(self) -> None:
        """Wait for those that are due at this moment, half a second at most."""
        if not self._due:
            return
        waiting = (set(self._due), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                await waiting[1]
        except TimeoutError:
            return
        finally:
            self._waiting.remove(waiting)

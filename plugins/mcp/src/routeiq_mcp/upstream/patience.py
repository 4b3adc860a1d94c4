"""How long a server may be silent while somebody waits for it. Waiting for the caller's own answer does not count.

The end of a request, whatever the server says on the way, is kept where the request is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Patience:
    """A timer that begins anew with every sign of life. `seconds` of `None` waits for ever."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._asked = 0
        self._timer: asyncio.Timeout | None = None

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """One wait for the server. Raises `TimeoutError`."""
        async with asyncio.timeout_at(self._end()) as self._timer:
            try:
                yield
            finally:
                self._timer = None

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """While the caller is asked something, the server has nothing to say."""
        self._asked += 1
        self.renew()
        try:
            yield
        finally:
            self._asked -= 1
            self.renew()

    def renew(self) -> None:
        """The server gave a sign of life."""
        if self._timer is not None:
            self._timer.reschedule(self._end())

    def _end(self) -> float | None:
        if self._seconds is None or self._asked:
            return None
        return asyncio.get_running_loop().time() + self._seconds

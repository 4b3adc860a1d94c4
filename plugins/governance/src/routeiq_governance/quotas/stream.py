"""A stream pays as it runs: it holds a slice of output tokens, more before they run out, and ends without money.

How tokens are counted in a wire is the core's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from routeiq_sdk import Stop
from routeiq_sdk.values.meters import Held, Refused

Grow = Callable[[int, int], Awaitable[Held | Refused | None]]
"""Takes the most and the least output tokens; `None` when the store cannot be asked."""
AWAY = Stop("The store of quotas cannot be reached: the stream ends here.", type="quota_store_unavailable")


class StreamTopUp:
    """The meter of one stream. `held` output tokens are paid for at first, `most` is all it may write. A token is as
    short as one byte, so what passed is at most as many tokens as bytes."""

    def __init__(self, grow: Grow, *, held: int, most: int, size: int, told: Callable[[Refused], Stop]) -> None:
        self._grow = grow
        self._held = held
        self._most = most
        self._slice = size
        self._told = told
        self._used = 0
        self._dry: Stop | None = None

    def passed(self, tokens: int, text_bytes: int) -> bool:
        """As `StreamMeter.passed`: asks for more while half a slice is left, and when none is."""
        self._used = max(tokens, text_bytes)
        if self._held >= self._most:
            return False  # all that the request may cost is held already
        left = self._held - self._used
        return left < 0 if self._dry is not None else left < self._slice // 2

    async def more(self) -> Stop | None:
        """As `StreamMeter.more`."""
        wanted = min(self._most, self._used + self._slice) - self._held
        needed = min(self._most, self._used) - self._held
        if wanted <= 0:
            return None
        if self._dry is None:
            answer = await self._grow(wanted, max(1, needed))
            if isinstance(answer, Held):
                self._held += answer.units
                return None
            self._dry = self._told(answer) if answer is not None else AWAY
        return self._dry if self._used > self._held else None


class Counting:
    """A meter for streams that nothing bounds: the gateway counts what passes, so that a cut one is settled by it."""

    def passed(self, tokens: int, text_bytes: int) -> bool:
        """As `StreamMeter.passed`: never asks for more."""
        return False

    async def more(self) -> Stop | None:
        """As `StreamMeter.more`."""
        return None

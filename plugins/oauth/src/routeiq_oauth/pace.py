"""How often one address may try: counters in the shared state, one a window of time.

What is counted is told where it is asked.
"""

from __future__ import annotations

from routeiq_sdk import Gateway


class Pace:
    """At most `most` of `what` from one address in `seconds`. Addresses behind one proxy share."""

    def __init__(self, gateway: Gateway, what: str, most: int, seconds: int) -> None:
        self._gateway = gateway
        self._what = what
        self._most = most
        self._seconds = seconds

    async def left(self, address: str | None) -> bool:
        """Whether another try is allowed; counts nothing."""
        return (await self._gateway.state.counters([self._key(address)]))[0] < self._most

    async def count(self, address: str | None) -> bool:
        """Count a try; `False` when it was one too many."""
        counted = await self._gateway.state.increment(
            self._key(address), 1, limit=self._most, ttl_seconds=float(self._seconds)
        )
        return counted is not None

    def _key(self, address: str | None) -> str:
        window = self._gateway.clock.now_ns() // 10**9 // self._seconds
        return f"oauth.pace:{self._what}:{window}:{address}"

"""The holds of this process: their leases are renewed while their calls last, and they are held still while lost meters
are restored.

What a hold takes is its own business, when meters count as lost that of the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from routeiq_governance.quotas.hold import LEASE_SECONDS, Hold
from routeiq_sdk import StoreUnavailable
from routeiq_sdk.gateway import MeterService

_RENEW_SECONDS = 30.0
_BATCH = 500
_STILL_SECONDS = 5.0
_WAIT_SECONDS = 20.0


class Live:
    """Holds that were taken and are not settled."""

    def __init__(self) -> None:
        self._holds: dict[str, Hold] = {}
        self._settling = 0
        self._still = 0
        self._may_settle = asyncio.Event()
        self._may_settle.set()
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, hold: Hold) -> None:
        """A hold was taken."""
        self._holds[hold.id] = hold

    def remove(self, hold: Hold) -> None:
        """It was settled."""
        self._holds.pop(hold.id, None)

    @asynccontextmanager
    async def settling(self) -> AsyncIterator[None]:
        """Write down and give back in one piece, not while meters are restored. Raises `StoreUnavailable`."""
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._may_settle.wait()
        except TimeoutError:
            raise StoreUnavailable("the meters are still being restored") from None
        self._settling += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._settling -= 1
            if not self._settling:
                self._idle.set()

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Nothing is settled inside: what is in the ledger and what is held add up."""
        self._still += 1
        self._may_settle.clear()
        try:
            try:
                async with asyncio.timeout(_STILL_SECONDS):
                    await self._idle.wait()
            except TimeoutError:
                pass  # a store that hangs must not keep the others from theirs
            yield
        finally:
            self._still -= 1
            if not self._still:
                self._may_settle.set()

    async def put_back(self, meters: MeterService) -> None:
        """Hold again what the store forgot. Raises `StoreUnavailable`."""
        for hold in await self._forgotten(meters):
            await hold.put_back(meters)

    async def renew(self, meters: MeterService) -> None:
        """Prolong leases, until cancelled."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                await self._forgotten(meters)
            except StoreUnavailable:
                continue

    async def _forgotten(self, meters: MeterService) -> list[Hold]:
        unknown: list[str] = []
        names = list(self._holds)
        for start in range(0, len(names), _BATCH):
            unknown += await meters.renew(names[start : start + _BATCH], LEASE_SECONDS)
        return [hold for name in unknown if (hold := self._holds.get(name)) is not None]

"""A store that lost its meters gets them back from the ledger: every process first writes what it knows, holds again
what is under way, then one fills the store.

When a store counts as having lost its meters is its own business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from secrets import token_hex

import structlog
from sqlalchemy import or_, select

from routeiq_governance.ledger.book import Ledger
from routeiq_governance.quotas.hold import Hold
from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import meters as meter_table
from routeiq_sdk import Gateway, StoreUnavailable
from routeiq_sdk.values.meters import Posting

log = structlog.get_logger("routeiq.governance.restore")

CHANNEL = "governance.meters.lost"
_LEASE = "governance.restore"
_LEASE_SECONDS = 30.0
_TOLD_SECONDS = 0.5
"""How long the others get to put back what they hold, before the store is used again."""
_LOOK_SECONDS = 2.0


class Restorer:
    """Watches for lost meters, in each process."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._owner = token_hex(8)
        self._gateway: Gateway | None = None
        self._running: asyncio.Task[None] | None = None
        self._live: Iterable[Hold] = ()

    async def open(self, gateway: Gateway, live: Iterable[Hold]) -> None:
        """Fill the store if it is empty, then watch. `live` are the holds of this process, as they are when asked."""
        self._gateway = gateway
        self._live = live
        gateway.spawn("quotas: hear of lost meters", self._listen)
        gateway.spawn("quotas: look for lost meters", self._look)
        if await gateway.meters.lost():
            await self._restore(alone=gateway.workers == 1)

    async def wait(self) -> None:
        """Restore, or wait for whoever does. Raises `StoreUnavailable`."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._restore(alone=False))
        await asyncio.shield(self._running)

    async def _restore(self, *, alone: bool) -> None:
        gateway = self._opened
        lease = await gateway.state.acquire(_LEASE, self._owner, _LEASE_SECONDS)
        if lease is None:
            for _ in range(20):
                await asyncio.sleep(0.1)
                if not await gateway.meters.lost():
                    return
            raise StoreUnavailable("the meters are being restored by another process")
        try:
            if not await gateway.meters.lost():
                return
            await gateway.state.publish(CHANNEL, self._owner.encode())
            await self._put_back()
            if not alone:
                await asyncio.sleep(_TOLD_SECONDS)
            postings = await self._sums()
            if await gateway.meters.restore(postings):
                log.info("the meters were restored from the ledger", meters=len(postings))
        finally:
            await gateway.state.release(_LEASE, self._owner)

    async def _put_back(self) -> None:
        await self._ledger.flush()
        for hold in list(self._live):
            await hold.put_back(self._opened.meters)

    async def _sums(self) -> list[Posting]:
        now = self._opened.clock.now_ns()
        alive = or_(meter_table.c.ends.is_(None), meter_table.c.ends > now)
        async with self._database.read() as connection:
            rows = (await connection.execute(select(meter_table).where(alive))).all()
        return [Posting(row.meter, row.amount, row.ends) for row in rows]

    async def _listen(self) -> None:
        while True:
            try:
                async with self._opened.state.subscribe(CHANNEL) as messages:
                    async for message in messages:
                        if message.decode("utf-8", "replace") != self._owner:
                            await self._put_back()
            except StoreUnavailable as error:
                log.warning("lost meters are not heard of now", reason=str(error))
            await asyncio.sleep(1.0)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                if await self._opened.meters.lost():
                    await self.wait()
            except StoreUnavailable as error:
                log.warning("the meters cannot be restored now", reason=str(error))

    @property
    def _opened(self) -> Gateway:
        if self._gateway is None:
            raise LookupError("the quotas are not open")
        return self._gateway

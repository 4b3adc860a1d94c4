"""A store that lost its meters gets them back from the ledger: every process first writes what it knows and holds again
what is under way, then one fills the store.

When a store counts as having lost its meters is its own business.
"""

from __future__ import annotations

import asyncio
from secrets import token_hex

import structlog
from sqlalchemy import and_, not_, or_, select

from routeiq_governance.ledger.book import Ledger
from routeiq_governance.quotas.live import Live
from routeiq_governance.quotas.seeding import DONE, MARK
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
_AGAIN_SECONDS = 0.1
_WAIT_SECONDS = 5.0
_START_SECONDS = 60.0


class Restorer:
    """Watches for lost meters, in each process."""

    def __init__(self, database: Database, ledger: Ledger, live: Live) -> None:
        self._database = database
        self._ledger = ledger
        self._live = live
        self._owner = token_hex(8)
        self._gateway: Gateway | None = None
        self._running: asyncio.Task[None] | None = None

    async def open(self, gateway: Gateway) -> None:
        """Fill the store if it is empty, then watch. Raises `StoreUnavailable`."""
        self._gateway = gateway
        gateway.spawn("quotas: hear of lost meters", self._listen)
        gateway.spawn("quotas: look for lost meters", self._look)
        if await gateway.meters.lost():
            await self._restore(_START_SECONDS)

    async def wait(self) -> None:
        """Restore, or wait for whoever does. Raises `StoreUnavailable`."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._restore(_WAIT_SECONDS))
        await asyncio.shield(self._running)

    async def _restore(self, seconds: float) -> None:
        gateway = self._opened
        try:
            async with asyncio.timeout(seconds):
                while await gateway.state.acquire(_LEASE, self._owner, _LEASE_SECONDS) is None:
                    await asyncio.sleep(_AGAIN_SECONDS)
                    if not await gateway.meters.lost():
                        return
        except TimeoutError:
            raise StoreUnavailable("the meters are being restored by another process") from None
        try:
            if await gateway.meters.lost():
                await self._fill(gateway)
        finally:
            await gateway.state.release(_LEASE, self._owner)

    async def _fill(self, gateway: Gateway) -> None:
        async with self._live.still():
            await gateway.state.publish(CHANNEL, self._owner.encode())
            await self._put_back()
            if gateway.workers > 1 or self._shared():
                await asyncio.sleep(_TOLD_SECONDS)
            postings = await self._sums()
            if await gateway.meters.restore(postings):
                log.info("the meters were restored from the ledger", meters=len(postings))

    async def _put_back(self) -> None:
        await self._ledger.flush(answered=False)  # nothing is settled meanwhile
        await self._live.put_back(self._opened.meters)

    def _shared(self) -> bool:
        """Whether other gateways may share the store: then the database is no file of this one."""
        return self._database.engine.dialect.name != "sqlite"

    async def _sums(self) -> list[Posting]:
        now = self._opened.clock.now_ns()
        alive = or_(meter_table.c.ends.is_(None), meter_table.c.ends > now)
        marks = or_(*(meter_table.c.meter.startswith(prefix, autoescape=True) for prefix in (MARK, DONE)))
        async with self._database.read() as connection:
            rows = (await connection.execute(select(meter_table).where(and_(alive, not_(marks))))).all()
        return [Posting(row.meter, row.amount, row.ends) for row in rows if row.amount]

    async def _listen(self) -> None:
        while True:
            try:
                async with self._opened.state.subscribe(CHANNEL) as messages:
                    async for message in messages:
                        if message.decode("utf-8", "replace") != self._owner:
                            await self._help()
            except StoreUnavailable as error:
                log.warning("lost meters are not heard of now", reason=str(error))
            await asyncio.sleep(1.0)

    async def _help(self) -> None:
        """Another process restores: put back what this one holds, and settle nothing until the store is filled."""
        async with self._live.still():
            await self._put_back()
            for _ in range(round(_WAIT_SECONDS / _AGAIN_SECONDS)):
                if not await self._opened.meters.lost():
                    return
                await asyncio.sleep(_AGAIN_SECONDS)
            log.warning("the process that restores the meters takes long")

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

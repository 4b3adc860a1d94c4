"""Holds of processes that died: charged with what was held, or with what the ledger says, and given back.

Holds of living processes are renewed by `gate`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

import msgspec
import structlog
from sqlalchemy import delete, select

from routeiq_governance.ledger.book import Ledger
from routeiq_governance.ledger.entry import LOST, Entry, Taken, packed, unpacked
from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import entries as entry_table
from routeiq_governance.store.tables import meters as meter_table
from routeiq_sdk import Gateway, StoreUnavailable
from routeiq_sdk.values.meters import Overdue, Posting

log = structlog.get_logger("routeiq.governance.sweep")

_LEASE = "governance.sweep"
_EACH_SECONDS = 2.0
_LEASE_SECONDS = 10.0
_BATCH = 100
_CLEAN_NS = 600 * 1_000_000_000
MONEY = "money"
COUNTED = "counted"


def note_of(entry: Entry, named: Mapping[str, Any], money: list[str], counted: list[str]) -> bytes:
    """What a hold carries for the sweeper: the entry to write if its process dies, with fields of the model it was held
    for, which meters count money and which count anything that is used up."""
    return packed([msgspec.structs.replace(entry, **named, detail={**entry.detail, MONEY: money, COUNTED: counted})])


class Sweeper:
    """One process at a time sweeps for all."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._owner = token_hex(8)
        self._cleaned = 0

    async def run(self, gateway: Gateway) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(_EACH_SECONDS)
            try:
                if await gateway.state.acquire(_LEASE, self._owner, _LEASE_SECONDS) is None:
                    continue
                await self.sweep(gateway)
            except StoreUnavailable:
                continue
            except Exception as error:
                log.error("sweeping failed", error=type(error).__name__, detail=str(error))

    async def sweep(self, gateway: Gateway) -> None:
        """Settle what is overdue now, and forget meters in the database whose windows are long over."""
        while late := await gateway.meters.overdue(_BATCH):
            for overdue in late:
                await self._settle(gateway, overdue)
            if len(late) < _BATCH or not await gateway.state.renew(_LEASE, self._owner, _LEASE_SECONDS):
                break
        now = gateway.clock.now_ns()
        if now - self._cleaned > _CLEAN_NS:
            self._cleaned = now
            async with self._database.begin() as connection:
                await connection.execute(delete(meter_table).where(meter_table.c.ends < now))

    async def _settle(self, gateway: Gateway, overdue: Overdue) -> None:
        taken = await self._known(overdue.hold)
        if taken is None:
            entry = self._guessed(overdue, gateway.clock.now_ns())
            taken = entry.meters if entry is not None else ()
            if entry is not None:
                await self._ledger.take([entry])
        ended = await gateway.meters.settle(
            overdue.hold, [Posting(each.meter, each.amount, each.ends) for each in taken]
        )
        if ended:
            log.warning("a call of a process that died was settled with what it held", request_id=overdue.hold)

    async def _known(self, request_id: str) -> tuple[Taken, ...] | None:
        """What the ledger knows of the request, `None` when nothing."""
        async with self._database.read() as connection:
            statement = select(entry_table.c.detail).where(entry_table.c.request_id == request_id)
            rows = (await connection.execute(statement)).scalars().all()
        if not rows:
            return None
        return tuple(Taken(*taken) for detail in rows for taken in detail.get("meters", ()))

    def _guessed(self, overdue: Overdue, now: int) -> Entry | None:
        """The entry of a call that was under way: it costs what was held for it."""
        if not overdue.note:
            return None
        (skeleton,) = unpacked(overdue.note)
        money, counted = set(skeleton.detail.get(MONEY, ())), set(skeleton.detail.get(COUNTED, ()))
        cost = max((overdue.amounts.get(meter, 0) for meter in money), default=0)
        taken = [
            Taken(meter, cost if meter in money else amount)
            for meter, amount in overdue.amounts.items()
            if meter in counted or meter in money
        ]
        detail = {name: told for name, told in skeleton.detail.items() if name not in (MONEY, COUNTED)}
        return msgspec.structs.replace(
            skeleton, outcome=LOST, ended_at=now, cost=cost, estimated=True, detail=detail, meters=tuple(taken)
        )

"""The ledger: takes entries durably at once, brings them into the database soon, and gives sums of what was written.

What an entry says is decided in `quotas`, how it is written in `writing`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy import select

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.ledger.entry import Entry, packed, unpacked
from routeiq_governance.ledger.healing import Healing
from routeiq_governance.ledger.writing import write
from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import totals
from routeiq_sdk import Gateway, StoreUnavailable
from routeiq_sdk.gateway import SpoolService

log = structlog.get_logger("routeiq.governance.ledger")

_BATCH = 500
_PAUSE_SECONDS = 0.25
"""Batches fill while the writer rests; figures are never older than this, and `flush` does not wait for it."""
_BACKOFF_FIRST = 0.2
_BACKOFF_MOST = 5.0
_FLUSH_SECONDS = 5.0


async def _nothing() -> None:
    return None


class Ledger:
    """Entries go to the spool (on disk when `take` returns), then to the database in batches."""

    def __init__(self, config: GovernanceConfig, database: Database) -> None:
        self._database = database
        self._spool: SpoolService | None = None
        self._accepted = 0
        self._written = 0
        self._replayed = 0
        self.settled: Callable[[], Awaitable[None]] = _nothing
        """Waited for before a flush: requests that are answered and not yet accepted here."""
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._healing: Healing | None = None

    async def open(self, gateway: Gateway) -> None:
        """Open the spool; what a process before left in it is written first."""
        self._spool = await gateway.spool("ledger")
        self._healing = Healing(gateway)
        async for number, _ in self._spool.read(self._written):
            self._accepted = number
        self._replayed = self._accepted
        gateway.spawn("ledger: write", self._write_on)
        if self._accepted:
            try:
                await self.flush()
            except StoreUnavailable:
                log.warning("entries of the process before are not in the database yet")

    async def close(self) -> None:
        """Write what is left, if the database is there; what is not written stays in the spool."""
        if self._spool is not None:
            try:
                await self._write_some()
            except StoreUnavailable:
                log.warning("entries wait in the spool for the next start", entries=self._accepted - self._written)

    async def take(self, entries: Sequence[Entry]) -> None:
        """Accept entries: they survive a crash once this returns. Raises what the spool raises."""
        if not entries:
            return
        if self._spool is None:
            raise LookupError("the ledger is not open")
        number = await self._spool.append(packed(list(entries)))
        self._accepted = max(self._accepted, number)
        self._wake.set()

    async def flush(self, *, answered: bool = True) -> None:
        """Wait until everything answered so far (or only: everything accepted) is in the database. Raises
        `StoreUnavailable`."""
        if answered:
            await self.settled()
        if self._written >= self._accepted:
            return
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._write_some()
        except TimeoutError:
            raise StoreUnavailable("the ledger could not be written to the database in time") from None

    async def spend(self, scope: str, ids: Sequence[str]) -> dict[str, int]:
        """All-time spend in nano-USD by id, with everything that this process accepted. Raises `StoreUnavailable`."""
        await self.flush()
        found: dict[str, int] = {}
        async with self._database.read() as connection:
            for start in range(0, len(ids), 500):
                part = list(ids[start : start + 500])
                statement = select(totals.c.scope_id, totals.c.spend)
                statement = statement.where(totals.c.scope == scope, totals.c.scope_id.in_(part))
                found |= {row[0]: row[1] for row in (await connection.execute(statement)).all()}
        return found

    async def _write_on(self) -> None:
        pause = _BACKOFF_FIRST
        while True:
            if self._written >= self._accepted:
                self._wake.clear()
                await self._wake.wait()
            try:
                await self._write_some()
                pause = _BACKOFF_FIRST
                await asyncio.sleep(_PAUSE_SECONDS)
            except StoreUnavailable as error:
                log.warning("the ledger waits for the database", reason=str(error), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(_BACKOFF_MOST, pause * 2)
            except Exception as error:
                log.error("the ledger could not be written", error=type(error).__name__, detail=str(error))
                await asyncio.sleep(_BACKOFF_MOST)

    async def _write_some(self) -> None:
        """Everything that is in the spool now."""
        async with self._writing:
            await self._write_rest()

    async def _write_rest(self) -> None:
        assert self._spool is not None
        assert self._healing is not None
        while self._written < self._accepted:
            batch: list[Entry] = []
            last = self._written
            async for number, data in self._spool.read(self._written):
                batch += unpacked(data)
                last = number
                if len(batch) >= _BATCH:
                    break
            if last == self._written:
                return
            async with self._database.begin() as connection:
                fresh = await write(connection, batch)
            self._healing.note(fresh, replayed=last <= self._replayed)
            self._written = last
            await self._spool.forget(last)
            await self._healing.heal()

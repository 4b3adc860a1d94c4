"""Removes rows that have ended, in small batches, in the background. Nothing depends on when it comes by.

What counts as ended at a given moment is decided by whoever reads a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

from sqlalchemy import Connection, Delete, Table, bindparam, delete, select, tuple_

from routeiq.state.sql_database import SqlDatabase
from routeiq.state.sql_tables import counters, holds, leases, messages, meters, paces, records
from routeiq_sdk import StoreUnavailable

_PAUSE_SECONDS = 5.0
_BATCH = 250


def _sweep(table: Table) -> Delete:
    key = tuple_(*table.primary_key.columns)
    # A row that somebody works on is left for the next time.
    late = (
        select(*table.primary_key.columns)
        .where(table.c.ends <= bindparam("now"))
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    return delete(table).where(key.in_(late))


_SWEEPS = tuple(_sweep(table) for table in (counters, records, leases, messages, meters, paces, holds))


class Sweeper:
    """One a process. Several at once do no harm."""

    def __init__(self, database: SqlDatabase, *, pause: float = _PAUSE_SECONDS) -> None:
        self._database = database
        self._pause = pause
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweep from now on."""
        self._task = asyncio.create_task(self._run(), name="state sweeper")

    async def aclose(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> int:
        """Remove all that has ended; how many rows. Raises `StoreUnavailable`."""
        removed = 0
        for statement in _SWEEPS:
            full = True
            while full:

                def step(connection: Connection, statement: Delete = statement) -> int:
                    return connection.execute(statement, {"now": self._database.now_ns()}).rowcount

                gone = await self._database.write(step)
                removed += gone
                full = gone == _BATCH
        return removed

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._pause * random.uniform(0.5, 1.5))  # noqa: S311
            with contextlib.suppress(StoreUnavailable):
                await self.sweep()

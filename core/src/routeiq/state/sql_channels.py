"""Messages through a table: publishers add rows, each process reads on from the last that it saw.

PostgreSQL has a way of its own, `sql_notify`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from sqlalchemy import Connection, bindparam, func, insert, select

from routeiq.state.channels import Channels
from routeiq.state.sql_database import SqlDatabase
from routeiq.state.sql_tables import messages
from routeiq_sdk import StoreUnavailable

QUEUE = 1024
"""Messages that a subscriber may be behind; then it loses its oldest."""
KEPT_NS = 60 * 1_000_000_000
"""How long a message lies in the table. A process that was away longer misses it."""
_TURN_SECONDS = 0.1
_PAGE = 500
_ADD = insert(messages)
_LAST = select(func.coalesce(func.max(messages.c.id), 0))
_NEW = (
    select(messages.c.id, messages.c.channel, messages.c.message)
    .where(messages.c.id > bindparam("last"))
    .order_by(messages.c.id)
    .limit(_PAGE)
)


class SqlChannels(Protocol):
    """How the processes of one database send each other messages."""

    async def publish(self, channel: str, message: bytes) -> None:
        """Send to all processes, this one included."""

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Receive while the context is open."""

    async def aclose(self) -> None:
        """Stop receiving."""


class PolledChannels:
    """Looks ten times a second while somebody is subscribed, and at once when this process publishes."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._local = Channels(QUEUE)
        self._subscribers = 0
        self._last = 0
        self._reading = asyncio.Lock()
        self._sent = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def publish(self, channel: str, message: bytes) -> None:
        """As `StateService.publish`."""

        def step(connection: Connection) -> None:
            ends = self._database.now_ns() + KEPT_NS
            connection.execute(_ADD, {"channel": channel, "message": message, "ends": ends})

        await self._database.write(step)
        self._sent.set()

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """As `StateService.subscribe`."""
        async with self._reading:
            # What was sent before goes to those who were here before.
            if self._subscribers:
                await self._read()
            else:
                self._last = await self._database.read(lambda connection: int(connection.execute(_LAST).scalar_one()))
            self._subscribers += 1
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._keep_reading(), name="state messages")
            async with self._local.subscribe(channel) as received:
                yield received
        finally:
            self._subscribers -= 1

    async def aclose(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_reading(self) -> None:
        while self._subscribers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TURN_SECONDS):
                    await self._sent.wait()
            self._sent.clear()
            async with self._reading:
                # A database that is away is told by whoever asks it; the messages wait there.
                with contextlib.suppress(StoreUnavailable):
                    await self._read()

    async def _read(self) -> None:
        def look(connection: Connection) -> list[tuple[int, str, bytes]]:
            return [(row.id, row.channel, bytes(row.message)) for row in connection.execute(_NEW, {"last": self._last})]

        while True:
            page = await self._database.read(look)
            for number, channel, message in page:
                self._last = number
                self._local.publish(channel, message)
            if len(page) < _PAGE:
                return

"""Messages through PostgreSQL's LISTEN and NOTIFY: one listening connection a process, opened by the first subscriber.

A message too large for a notification lies in the table of messages, and its number is told.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, exc, func, insert, select

from routeiq.state.channels import Channels
from routeiq.state.sql_channels import KEPT_NS, QUEUE
from routeiq.state.sql_postgres import PostgresDatabase
from routeiq.state.sql_tables import messages
from routeiq_sdk import StoreUnavailable

log = structlog.get_logger("routeiq.state")

_CHANNEL = "routeiq_state"
_LARGEST = 7900  # PostgreSQL takes less than 8000 bytes
_AGAIN_SECONDS = 0.5
_PULSE_SECONDS = 5.0
_NOTIFY = select(func.pg_notify(_CHANNEL, bindparam("payload")))
_ADD = insert(messages).returning(messages.c.id)
_FETCH = select(messages.c.channel, messages.c.message).where(messages.c.id == bindparam("id"))


class NotifiedChannels:
    """All channels go through one PostgreSQL channel. After a lost connection it listens again; what was sent
    meanwhile is missed."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._local = Channels(QUEUE)
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._listening = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def publish(self, channel: str, message: bytes) -> None:
        """As `StateService.publish`."""
        payload = f"{b64encode(channel.encode()).decode()}:{b64encode(message).decode()}"

        def step(connection: Connection) -> None:
            told = payload
            if len(told) > _LARGEST:
                row = {"channel": channel, "message": message, "ends": self._database.now_ns() + KEPT_NS}
                told = str(connection.execute(_ADD, row).scalar_one())
            connection.execute(_NOTIFY, {"payload": told})

        await self._database.write(step)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """As `StateService.subscribe`. Raises `StoreUnavailable` while nobody listens."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._listen(), name="state notifications"),
                asyncio.create_task(self._hand_on(), name="state messages"),
            ]
        try:
            async with asyncio.timeout(2 * self._database.call_seconds):
                await self._listening.wait()
        except TimeoutError:
            raise StoreUnavailable("the state store (postgresql) cannot be listened to") from None
        async with self._local.subscribe(channel) as received:
            yield received

    async def aclose(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (exc.SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("the state store's messages are not heard, trying again", error=type(error).__name__)
            finally:
                self._listening.clear()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen_once(self) -> None:
        """Listen until the connection ends. The pulse finds one that ended without a word."""
        async with asyncio.timeout(None) as limit, self._database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            raw: Any = (await connection.get_raw_connection()).driver_connection
            ended = asyncio.Event()
            raw.add_termination_listener(lambda _: ended.set())
            limit.reschedule(asyncio.get_running_loop().time() + self._database.call_seconds)
            await raw.add_listener(_CHANNEL, self._hear)
            limit.reschedule(None)
            self._listening.set()
            try:
                while not ended.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(ended.wait(), _PULSE_SECONDS)
                    if not ended.is_set():
                        await raw.execute("SELECT 1", timeout=_PULSE_SECONDS)
            finally:
                await connection.invalidate()  # never back to the pool with a listener on it

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self._heard.put_nowait(payload)

    async def _hand_on(self) -> None:
        """One after the other, so that messages keep their order also when one must be fetched."""
        while True:
            payload = await self._heard.get()
            channel, colon, message = payload.partition(":")
            if colon:
                self._local.publish(b64decode(channel).decode(), b64decode(message))
                continue
            with contextlib.suppress(StoreUnavailable):
                found = await self._database.read(lambda connection, id=int(payload): _fetch(connection, id))  # type: ignore[misc]
                if found is not None:
                    self._local.publish(*found)


def _fetch(connection: Connection, id: int) -> tuple[str, bytes] | None:
    row = connection.execute(_FETCH, {"id": id}).one_or_none()
    return (row.channel, bytes(row.message)) if row is not None else None

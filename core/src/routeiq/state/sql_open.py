"""Opens a database as a store: its schema is looked at (an embedded file's is brought up to date), its parts started.

Which store a gateway opens is decided in `open`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import Connection

from routeiq.state.sql_channels import PolledChannels, SqlChannels
from routeiq.state.sql_database import CALL_SECONDS, Busy, SqlDatabase
from routeiq.state.sql_meters import SqlMeters
from routeiq.state.sql_notify import NotifiedChannels
from routeiq.state.sql_postgres import PostgresDatabase
from routeiq.state.sql_schema import HEAD, revision, upgrade
from routeiq.state.sql_sqlite import SqliteDatabase, prepare_file
from routeiq.state.sql_state import SqlState
from routeiq.state.sql_sweeper import Sweeper
from routeiq_sdk import ConfigError, StoreUnavailable
from routeiq_sdk.gateway import Clock

_SCHEMA_SECONDS = 30.0
_AGAIN_SECONDS = 0.1


class SqlStores:
    """State and meters of one database, open."""

    def __init__(self, database: SqlDatabase, channels: SqlChannels) -> None:
        self.database = database
        self.state = SqlState(database, channels)
        self.meters = SqlMeters(database)
        self._channels = channels
        self.sweeper = Sweeper(database)
        self.sweeper.start()

    async def ping(self) -> None:
        """Raises `StoreUnavailable` when the database does not answer."""
        await self.database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())

    async def aclose(self) -> None:
        """Stop the background work and close the database."""
        await self.sweeper.aclose()
        await self._channels.aclose()
        await self.database.aclose()


async def open_sqlite(path: Path, clock: Clock, *, call_seconds: float = CALL_SECONDS) -> SqlStores:
    """The store in a file of this machine, made and migrated when needed. Raises `ConfigError` or
    `StoreUnavailable`."""
    await asyncio.to_thread(prepare_file, path)
    database = SqliteDatabase(path, clock, call_seconds)
    async with _closed_on_error(database):
        _check(await _migrated(database), str(path))
    return SqlStores(database, PolledChannels(database))


async def open_postgres(url: str, clock: Clock, *, call_seconds: float = CALL_SECONDS) -> SqlStores:
    """The store in a PostgreSQL database that was migrated before. Raises `ConfigError` or `StoreUnavailable`."""
    database = PostgresDatabase(url, clock, call_seconds)
    async with _closed_on_error(database):
        _check(await database.read(revision, seconds=_SCHEMA_SECONDS), "the PostgreSQL database")
    return SqlStores(database, NotifiedChannels(database))


async def _migrated(database: SqlDatabase) -> str | None:
    """The revision of our own file, brought up to date. Of several workers the first does it; the others wait longer
    than a call would."""

    def step(connection: Connection) -> str | None:
        found = revision(connection)
        if found is None or found < HEAD:
            upgrade(connection)
            found = revision(connection)
        return found

    async with asyncio.timeout(_SCHEMA_SECONDS):
        while True:
            try:
                return await database.write(step, seconds=_SCHEMA_SECONDS)
            except StoreUnavailable as error:
                if not (isinstance(error.__cause__, Busy) or database.breaker.open):
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)


@asynccontextmanager
async def _closed_on_error(database: SqlDatabase) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await database.aclose()
        raise


def _check(found: str | None, where: str) -> None:
    if found != HEAD:
        raise schema_mismatch(found, where)


def schema_mismatch(found: str | None, where: str) -> ConfigError:
    """What is said of tables of another revision."""
    there = "has no tables of the state store" if found is None else f"has the state store's tables at revision {found}"
    mend = f"run `routeiq migrate --config FILE`, which brings them to {HEAD}"
    if found is not None and found > HEAD:
        mend = f"run a release that knows revision {found}: this one works with {HEAD}"
    return ConfigError(f"{where} {there}.", mend=mend)

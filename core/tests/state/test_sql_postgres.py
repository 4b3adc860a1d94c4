"""The PostgreSQL store: both contracts over two pools of connections to one database, as two machines have them.

How it bears a server that stops, hangs or is promoted is tested in `test_sql_failures`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, text

from routeiq.state.clock import SystemClock
from routeiq.state.sql_notify import NotifiedChannels
from routeiq.state.sql_open import SqlStores
from routeiq.state.sql_postgres import PostgresDatabase
from routeiq.state.sql_schema import upgrade
from routeiq.state.sql_tables import SCHEMA
from routeiq_sdk.gateway import MeterService, StateService
from routeiq_testkit.servers import PostgresServer

from .contract import StateContract
from .meters_contract import MetersContract

PATIENCE = 20.0  # the machine may be busy with other tests


def _empty(connection: Connection) -> None:
    upgrade(connection)
    connection.execute(text(f"TRUNCATE {', '.join(SCHEMA.tables)}"))


class Ahead(PostgresDatabase):
    """The database of a server whose clock a test can put forward."""

    seconds = 0.0

    def now_ns(self) -> int:
        return super().now_ns() + int(Ahead.seconds * 1e9)


@asynccontextmanager
async def stores(url: str) -> AsyncIterator[SqlStores]:
    database = Ahead(url, SystemClock(), PATIENCE)
    await database.read(lambda connection: None)
    stores = SqlStores(database, NotifiedChannels(database))
    yield stores
    await stores.aclose()


class _OnAServer:
    """One database a test, emptied at each opening. Leases are long: only a clock put forward ends them."""

    ttl = 60.0
    machine_examples = 8
    machine_steps = 25

    @pytest.fixture(autouse=True)
    async def database(self, postgres: PostgresServer) -> None:
        self.url = await postgres.database()

    @asynccontextmanager
    async def emptied(self) -> AsyncIterator[SqlStores]:
        async with stores(self.url) as opened:
            await opened.database.write(_empty, seconds=30)
            yield opened

    async def elapse(self, seconds: float) -> None:
        Ahead.seconds += seconds

    def after(self, seconds: float) -> int:
        return SystemClock().now_ns() + int((Ahead.seconds + seconds) * 1e9)


class TestPostgresStateKeepsTheContract(_OnAServer, StateContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[StateService]:
        async with self.emptied() as opened:
            yield opened.state

    @pytest.fixture
    async def peer(self, state: StateService) -> AsyncIterator[StateService]:
        async with stores(self.url) as opened:
            yield opened.state


class TestPostgresMetersKeepTheContract(_OnAServer, MetersContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[MeterService]:
        async with self.emptied() as opened:
            yield opened.meters

    @pytest.fixture
    async def peer(self, meters: MeterService) -> AsyncIterator[MeterService]:
        async with stores(self.url) as opened:
            yield opened.meters

"""The SQLite store: both contracts over two connections to one file, as two workers have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from routeiq.state.sql_open import open_sqlite
from routeiq_sdk.gateway import MeterService, StateService

from .contract import StateContract
from .held_clock import HeldClock
from .meters_contract import MetersContract

PATIENCE = 20.0  # the machine may be busy with other tests


class _OnAFile:
    """A file of the test's own for each opening; time stands still until told."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folders = tmp_path_factory
        self.clock = HeldClock()
        self.path = Path()

    def fresh(self) -> Path:
        self.path = self.folders.mktemp("state") / "state.sqlite3"
        return self.path

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def after(self, seconds: float) -> int:
        return self.clock.now_ns() + int(seconds * 1e9)


class TestSqliteStateKeepsTheContract(_OnAFile, StateContract):
    machine_examples = 15

    @asynccontextmanager
    async def open(self) -> AsyncIterator[StateService]:
        stores = await open_sqlite(self.fresh(), self.clock, call_seconds=PATIENCE)
        yield stores.state
        await stores.aclose()

    @pytest.fixture
    async def peer(self, state: StateService) -> AsyncIterator[StateService]:
        stores = await open_sqlite(self.path, self.clock, call_seconds=PATIENCE)
        yield stores.state
        await stores.aclose()


class TestSqliteMetersKeepTheContract(_OnAFile, MetersContract):
    machine_examples = 15

    @asynccontextmanager
    async def open(self) -> AsyncIterator[MeterService]:
        stores = await open_sqlite(self.fresh(), self.clock, call_seconds=PATIENCE)
        yield stores.meters
        await stores.aclose()

    @pytest.fixture
    async def peer(self, meters: MeterService) -> AsyncIterator[MeterService]:
        stores = await open_sqlite(self.path, self.clock, call_seconds=PATIENCE)
        yield stores.meters
        await stores.aclose()

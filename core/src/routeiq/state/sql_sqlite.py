"""An SQLite file as the store of all workers of one machine: WAL, one writer at a time, one thread of our own.

Statements and tables are the business of `sql_state` and `sql_meters`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

from routeiq.state.sql_database import CALL_SECONDS, Busy, SqlDatabase, Work, committed
from routeiq_sdk import ConfigError
from routeiq_sdk.gateway import Clock
from routeiq_sdk.sqlite_files import prepare_sqlite

T = TypeVar("T")

_BUSY_SHARE = 0.75  # of a call's time may go by in waiting for other writers
# SQLite's own waits grow to 100 ms, in which others pass by again and again.
_LEAST_WAIT_SECONDS = 0.0001
_LONGEST_WAIT_SECONDS = 0.001
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SqliteDatabase(SqlDatabase):
    """A file. A whole transaction runs in one hop to the thread, so its statements cost no turns of the event loop.

    Commits survive the death of a process. They are not forced to disk one by one, so a machine that dies may lose the
    last: `epoch` is the machine's boot, by which that is noticed.
    """

    name = "sqlite"

    def __init__(self, path: Path, clock: Clock, call_seconds: float = CALL_SECONDS) -> None:
        super().__init__(clock, call_seconds)
        self.path = path
        self.epoch = _boot()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-state")
        self._engine = _engine(path)
        self._connection: Connection | None = None
        self._writing = True
        event.listen(self._engine, "begin", self._begin)

    def now_ns(self) -> int:
        """The machine's time: all processes of the file see the same."""
        return self.clock.now_ns()

    async def aclose(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    async def _once(self, work: Work[T], writing: bool) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work, writing)

    def _run(self, work: Work[T], writing: bool) -> T:
        self._writing = writing
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            return committed(self._connection, work)
        except exc.OperationalError as error:
            if _is_busy(error.orig):
                raise Busy from None
            self._close()  # the next call opens the file anew
            raise

    def _begin(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if not self._writing:
            driver.execute("BEGIN")
            return
        until = time.monotonic() + self.call_seconds * _BUSY_SHARE
        while True:
            try:
                # A transaction that will write says so at once: none fails half-way because another wrote meanwhile.
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise
                if time.monotonic() > until:
                    raise Busy from None
                time.sleep(random.uniform(_LEAST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS))  # noqa: S311
            else:
                return

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(exc.SQLAlchemyError):
                connection.close()
        self._engine.dispose()


def prepare_file(path: Path) -> None:
    """Make the file that only this user may read, unless there is one. Raises `ConfigError`."""
    try:
        prepare_sqlite(str(path))
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(
            f"the state store {path} cannot be opened: {getattr(error, 'strerror', None) or error}",
            mend="make the folder writable, or name another store in routeiq.state.url",
        ) from None


def _engine(path: Path) -> Engine:
    url = URL.create("sqlite+pysqlite", database=str(path))
    engine = create_engine(
        url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": _LONGEST_WAIT_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        for pragma in ("synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-8192"):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def _is_busy(error: BaseException | None) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def _boot() -> str:
    try:
        return f"boot {_BOOT_ID.read_text().strip()}"
    except OSError:
        return "boot unknown"

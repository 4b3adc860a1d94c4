"""PostgreSQL as the store of many machines: row locks, the server's clock, and which life of the server this is.

Statements and tables are the business of `sql_state` and `sql_meters`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import event, exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from routeiq.state.sql_database import CALL_SECONDS, SqlDatabase, Work, committed
from routeiq_sdk import ConfigError
from routeiq_sdk.gateway import Clock

T = TypeVar("T")

_POOL = 8
_FRESH_SECONDS = 900
_THOUSAND = 1000
_TIME = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
# A promoted standby is on another timeline, and may lack the last commits of its predecessor.
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"
_NOT_HERE = frozenset({"42883", "42501", "0A000"})  # undefined function, insufficient privilege, not supported
_FOREIGN_PARAMETERS = frozenset({"schema", "connection_limit", "pool_timeout", "pgbouncer", "connect_timeout"})


class PostgresDatabase(SqlDatabase):
    """A PostgreSQL database. Commits are as durable as the server's `synchronous_commit` makes them."""

    name = "postgresql"

    def __init__(self, url: str, clock: Clock, call_seconds: float = CALL_SECONDS) -> None:
        super().__init__(clock, call_seconds)
        self._server_ns = clock.now_ns()
        self._greeted_at = clock.monotonic()
        self.engine = _engine(async_url(url), call_seconds)
        # A read is one statement, which needs no BEGIN and COMMIT around it.
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        event.listen(self.engine.sync_engine, "connect", self._greet)

    def now_ns(self) -> int:
        """The server's time, reckoned from the youngest connection."""
        return self._server_ns + int((self.clock.monotonic() - self._greeted_at) * 1e9)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    async def _once(self, work: Work[T], writing: bool) -> T:
        async with (self.engine if writing else self._reading).connect() as connection:
            return await connection.run_sync(committed, work)

    def _greet(self, connection: Any, _record: Any) -> None:
        before = self.clock.monotonic()
        microseconds = int(_scalar(connection, _TIME))
        self._greeted_at = (before + self.clock.monotonic()) / 2
        self._server_ns = microseconds * _THOUSAND
        try:
            timeline = _scalar(connection, _TIMELINE)
        except connection.dbapi.Error as error:
            if getattr(error, "sqlstate", None) not in _NOT_HERE:
                raise
            timeline = "unknown"  # some managed servers have no such function: they keep commits over a failover
        self.epoch = f"timeline {timeline}"


def _scalar(connection: Any, statement: str) -> Any:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        return cursor.fetchone()[0]
    finally:
        cursor.close()
        connection.rollback()


def async_url(url: str) -> URL:
    """The address as our driver wants it; parameters of other clients are left out. Raises `ConfigError`."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise ConfigError(
            "the address of the state store cannot be read", mend="write postgresql://user:password@host:5432/name"
        ) from None
    query = {name: value for name, value in parsed.query.items() if name not in _FOREIGN_PARAMETERS}
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return parsed.set(drivername="postgresql+asyncpg", query=query)


def _engine(url: URL, call_seconds: float) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=_POOL,
        max_overflow=0,
        pool_timeout=call_seconds,
        pool_recycle=_FRESH_SECONDS,
        pool_use_lifo=True,
        connect_args={"timeout": call_seconds, "server_settings": {"application_name": "routeiq state"}},
    )

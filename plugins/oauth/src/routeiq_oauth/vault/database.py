"""The vault's database: an SQLite file of the plugin's own, or PostgreSQL; one clear error when it is away.

Queries are in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import Connection, event, exc, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from routeiq_oauth.vault import tables
from routeiq_sdk import PluginError, Secret, StoreUnavailable
from routeiq_sdk.sqlite_files import open_sqlite

HEAD = "0001"
"""The revision of the tables that this release works with."""
_FILE = "vault.sqlite3"
_READS = "vault_reads"
_POOL = 5
_SECONDS = 5.0
_PASSING = ("08", "40", "53", "55", "57")
"""Classes of SQLSTATE that pass by themselves."""


class Database:
    """An SQLAlchemy async engine. `url` of `None` means the embedded file in `folder`."""

    def __init__(self, url: Secret | None, folder: Path) -> None:
        self._engine = make_engine(url.reveal() if url is not None else f"sqlite+aiosqlite:///{folder / _FILE}")
        self._closed = False

    @property
    def is_embedded(self) -> bool:
        """Whether it is a file of this machine."""
        return self._engine.dialect.name == "sqlite"

    async def open(self) -> None:
        """Connect. The embedded file gets its tables; another database must have them. Raises `PluginError`."""
        try:
            if self.is_embedded:
                await open_sqlite("oauth", self._engine.url.database)
            async with self.begin() as connection:
                found = await connection.run_sync(found_revision)
                if self.is_embedded and found is None:
                    await connection.run_sync(create)
                    found = HEAD
        except StoreUnavailable as error:
            raise PluginError("oauth", str(error), mend="start the database, or correct database_url") from None
        if found != HEAD:
            raise PluginError(
                "oauth",
                f"the database has revision {found or 'none'} of our tables; this release needs {HEAD}",
                mend="run `routeiq migrate --config FILE`",
            )

    async def close(self) -> None:
        """Give all connections back."""
        self._closed = True
        await self._engine.dispose()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes, committed at the end. Raises `StoreUnavailable`."""
        self._check_open()
        with reaching():
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, beside any writer. Raises `StoreUnavailable`."""
        self._check_open()
        with reaching():
            async with self._engine.connect() as opened:
                connection = await opened.execution_options(**{_READS: True})
                async with connection.begin():
                    yield connection

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the vault's database is closed")


@contextmanager
def reaching() -> Iterator[None]:
    """Faults of the connection become `StoreUnavailable`; others are errors of ours."""
    try:
        yield
    except exc.DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        lost = isinstance(error, exc.OperationalError | exc.InterfaceError) or error.connection_invalidated
        if lost or state[:2] in _PASSING:
            raise _away(error) from None
        raise
    except (exc.TimeoutError, OSError) as error:
        raise _away(error) from None


def _away(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the vault's database cannot be reached: {type(error).__name__}")


def make_engine(url: str) -> AsyncEngine:
    """An engine for PostgreSQL or SQLite that never shows what it stores. Raises `PluginError`."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise PluginError("oauth", "database_url is no address", mend="postgresql://user:...@host/name") from None
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        query = {name: value for name, value in parsed.query.items() if name not in ("schema", "connection_limit")}
        return create_async_engine(
            parsed.set(drivername="postgresql+asyncpg", query=query),
            hide_parameters=True,
            pool_size=_POOL,
            pool_timeout=_SECONDS,
            pool_pre_ping=True,
            connect_args={"timeout": _SECONDS, "command_timeout": 30.0},
        )
    if backend == "sqlite":
        engine = create_async_engine(parsed.set(drivername="sqlite+aiosqlite"), hide_parameters=True)
        _prepare_sqlite(engine)
        return engine
    raise PluginError(
        "oauth", f"database_url names {backend}", mend="use PostgreSQL, or leave it out for the embedded SQLite file"
    )


def found_revision(connection: Connection) -> str | None:
    """The revision of the tables that are there; `None` when there are none."""
    if not inspect(connection).has_table(tables.revision.name):
        return None
    found = connection.execute(select(tables.revision.c.version_num)).scalar()
    return str(found) if found is not None else None


def create(connection: Connection) -> None:
    """Make the tables of our revision, once however many ask."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7160225417)"))
    if found_revision(connection) is None:
        tables.metadata.create_all(connection)
        connection.execute(tables.revision.insert().values(version_num=HEAD))


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """Transactions that begin as writers, so that none fails half-way on a lock."""

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("synchronous=FULL", "busy_timeout=5000", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

"""The connection to the governance database: one engine a process, short transactions, one clear error when it is away.

Queries belong to the rooms that ask them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import Connection, event, exc, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.store import schema
from routeiq_governance.store.secrets import Sealer, open_sealer
from routeiq_governance.store.tables import changes
from routeiq_sdk import Gateway, PluginError, RequestError, Secret, StoreUnavailable
from routeiq_sdk.gateway import Clock
from routeiq_sdk.sqlite_files import open_sqlite
from routeiq_sdk.values.health import Health

_FILE = "governance.sqlite3"
_POOL = 5
_SECONDS = 5.0
_COMMAND_SECONDS = 30.0
_WRONG_DATA = "22"
"""The class of SQLSTATE of values that a column cannot take."""
_PASSING = ("08", "40", "53", "55", "57")
"""Classes of SQLSTATE that pass by themselves: connections, conflicts of transactions, resources, locks, shutdowns."""
_READS = "governance_reads"


class Database:
    """An SQLAlchemy async engine, opened late."""

    def __init__(self, config: GovernanceConfig) -> None:
        self._url = config.database_url
        self._secrets = _several(config.encryption_key)
        self._peppers = _several(config.pepper)
        self._sealer: Sealer | None = None
        self._engine: AsyncEngine | None = None
        self._clock: Clock | None = None
        self._closed = False

    async def open(self, gateway: Gateway) -> None:
        """Connect, and refuse a schema of another revision."""
        self._closed = False
        self._clock = gateway.clock
        url = self._url.reveal() if self._url is not None else f"sqlite+aiosqlite:///{gateway.data_dir / _FILE}"
        self._engine = make_engine(url)
        embedded = self._engine.dialect.name == "sqlite"
        self._sealer = open_sealer(self._secrets, gateway.data_dir, shared=not embedded, peppers=self._peppers)
        try:
            if embedded:
                await open_sqlite("governance", self._engine.url.database)
            async with self.begin() as connection:
                found = await connection.run_sync(schema.revision)
                if embedded and found != schema.HEAD:
                    await connection.run_sync(schema.upgrade)
                    found = schema.HEAD
        except StoreUnavailable as error:
            raise PluginError("governance", str(error), mend="start the database, or correct database_url") from None
        if found != schema.HEAD:
            raise PluginError(
                "governance",
                f"the database has revision {found or 'none'} of our tables; this release needs {schema.HEAD}",
                mend="run `routeiq migrate --config FILE`",
            )

    async def close(self) -> None:
        """Give all connections back. Whoever asks afterwards hears `StoreUnavailable`."""
        self._closed = True
        if self._engine is not None:
            await self._engine.dispose()

    @property
    def sealer(self) -> Sealer:
        """Seals and peppers, once opened."""
        if self._sealer is None:
            raise LookupError("the governance database is not open")
        return self._sealer

    def now(self) -> int:
        """Unix time in nanoseconds, by the gateway's clock."""
        if self._clock is None:
            raise LookupError("the governance database is not open")
        return self._clock.now_ns()

    @property
    def engine(self) -> AsyncEngine:
        """The engine, once opened. Raises `StoreUnavailable` when it was closed."""
        if self._closed:
            raise StoreUnavailable("the governance database is closed")
        if self._engine is None:
            raise LookupError("the governance database is not open")
        return self._engine

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes; committed at the end. Raises `StoreUnavailable`, and `RequestError(400)` for a
        text that no database can hold."""
        with reaching():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, beside any writer. Raises as `begin` does."""
        with reaching():
            async with self.engine.connect() as opened:
                connection = await opened.execution_options(**{_READS: True})
                async with connection.begin():
                    yield connection

    async def touch(self, connection: AsyncConnection, kind: str) -> None:
        """Say, in the transaction of a change, that cached things of this kind are stale."""
        insert = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(changes).values(table=kind, version=1)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=[changes.c.table], set_={"version": changes.c.version + 1})
        )

    async def health(self) -> Health:
        """Whether the database answers."""
        try:
            async with self.read() as connection:
                await connection.execute(text("SELECT 1"))
        except StoreUnavailable as error:
            return Health("down", str(error))
        return Health()


def _several(secrets: Sequence[Secret] | Secret) -> Sequence[Secret]:
    return (secrets,) if isinstance(secrets, Secret) else secrets


@contextmanager
def reaching() -> Iterator[None]:
    """Faults of the connection become `StoreUnavailable`; others are errors of ours and stay what they are."""
    try:
        yield
    except (UnicodeEncodeError, OverflowError):
        raise _unstorable() from None
    except exc.DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if state[:2] == _WRONG_DATA:
            raise _unstorable() from None
        lost = isinstance(error, exc.OperationalError | exc.InterfaceError) or error.connection_invalidated
        if lost or state[:2] in _PASSING:
            raise _away(error) from error
        raise
    except (exc.TimeoutError, OSError) as error:
        raise _away(error) from error


def _away(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the governance database cannot be reached: {type(error).__name__}")


def _unstorable() -> RequestError:
    told = "A value cannot be stored: it has a character that no text holds, or is a number too large."
    return RequestError(400, told, code="400")


def make_engine(url: str, *, command_seconds: float | None = _COMMAND_SECONDS) -> AsyncEngine:
    """An engine for PostgreSQL (in LiteLLM's form of an address, too) or SQLite. Raises `PluginError`."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise PluginError(
            "governance", "general_settings.database_url is no address", mend="postgresql://user:...@host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        query = {name: value for name, value in parsed.query.items() if name not in ("schema", "connection_limit")}
        parsed = parsed.set(drivername="postgresql+asyncpg", query=query)
        return create_async_engine(
            parsed,
            hide_parameters=True,
            pool_size=_POOL,
            max_overflow=0,
            pool_timeout=_SECONDS,
            connect_args={"timeout": _SECONDS, "command_timeout": command_seconds},
        )
    if backend == "sqlite":
        engine = create_async_engine(parsed.set(drivername="sqlite+aiosqlite"), hide_parameters=True)
        _prepare_sqlite(engine)
        return engine
    raise PluginError(
        "governance",
        f"general_settings.database_url names {backend}",
        mend="use PostgreSQL, or leave it out for the embedded SQLite file",
    )


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """What writes begins as a writer, so that none fails half-way on a lock."""

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

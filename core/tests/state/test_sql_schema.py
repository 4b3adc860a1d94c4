"""The schema of the SQL stores: one truth in code and migrations, made by the first of many, another one refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import routeiq.state
from routeiq.state.clock import SystemClock
from routeiq.state.sql_open import open_postgres, open_sqlite
from routeiq.state.sql_postgres import PostgresDatabase
from routeiq.state.sql_schema import HEAD, revision, upgrade
from routeiq.state.sql_sqlite import SqliteDatabase, prepare_file
from routeiq.state.sql_tables import SCHEMA, VERSION_TABLE
from routeiq_sdk import ConfigError
from routeiq_testkit.servers import PostgresServer

T = TypeVar("T")
CLOCK = SystemClock()


async def on_postgres(url: str, work: Callable[[Connection], T]) -> T:
    database = PostgresDatabase(url, CLOCK)
    try:
        return await database.write(work, seconds=30)
    finally:
        await database.aclose()


async def on_sqlite(path: Path, work: Callable[[Connection], T]) -> T:
    database = SqliteDatabase(path, CLOCK)
    try:
        return await database.write(work, seconds=30)
    finally:
        await database.aclose()


def differences(connection: Connection) -> list[object]:
    """What Alembic would still change after our migrations."""
    upgrade(connection)
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
    return list(compare_metadata(context, SCHEMA))


def to_a_later_revision(connection: Connection) -> None:
    upgrade(connection)
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))


def test_the_release_needs_the_last_revision_there_is() -> None:
    folder = Path(routeiq.state.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [HEAD]


async def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path, postgres: PostgresServer) -> None:
    path = tmp_path / "state.sqlite3"
    prepare_file(path)
    assert await on_sqlite(path, differences) == []
    assert await on_postgres(await postgres.database(), differences) == []


async def test_of_many_workers_that_start_at_once_one_makes_the_file_and_all_use_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "state.sqlite3"
    stores = await asyncio.gather(*(open_sqlite(path, CLOCK) for _ in range(6)))
    assert await asyncio.gather(*(one.state.increment("a", 1) for one in stores)) is not None
    assert await stores[0].state.counters(["a"]) == [6]
    await asyncio.gather(*(one.aclose() for one in stores))
    assert path.stat().st_mode & 0o077 == 0


async def test_a_file_of_a_later_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    await (await open_sqlite(path, CLOCK)).aclose()
    await on_sqlite(path, to_a_later_revision)
    with pytest.raises(ConfigError, match=r"revision 9999.* works with 0001"):
        await open_sqlite(path, CLOCK)


async def test_a_file_that_is_no_database_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    path.write_bytes(b"something else entirely, and long enough to be looked at" * 20)
    with pytest.raises(ConfigError, match=r"state\.sqlite3 cannot be opened: file is not a database"):
        await open_sqlite(path, CLOCK)


async def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"state\.sqlite3 cannot be opened"):
        await open_sqlite(tmp_path / "file" / "state.sqlite3", CLOCK)


async def test_postgres_is_refused_until_it_is_migrated_and_the_refusal_names_the_command(
    postgres: PostgresServer,
) -> None:
    url = await postgres.database()
    with pytest.raises(ConfigError, match=r"no tables of the state store.*routeiq migrate --config"):
        await open_postgres(url, CLOCK)
    await on_postgres(url, upgrade)
    await (await open_postgres(url, CLOCK)).aclose()
    await on_postgres(url, to_a_later_revision)
    with pytest.raises(ConfigError, match="a release that knows revision 9999"):
        await open_postgres(url, CLOCK)


async def test_two_migrations_at_once_do_no_harm(postgres: PostgresServer) -> None:
    url = await postgres.database()
    await asyncio.gather(*(on_postgres(url, upgrade) for _ in range(3)))
    assert await on_postgres(url, revision) == HEAD

"""The tables come by migrations alone: of the embedded file at the start, of PostgreSQL by command, which a start asks
for."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.store import schema
from routeiq_governance.store.database import Database, make_engine
from routeiq_governance.store.migrating import GovernanceMigrations
from routeiq_governance.store.tables import PREFIX, SCHEMA
from routeiq_sdk import PluginError, Secret
from routeiq_sdk.testing import FakeGateway
from routeiq_testkit.servers import PostgresServer

from .conftest import KEY


def _config(url: str) -> GovernanceConfig:
    return GovernanceConfig.model_validate({"database_url": url, "encryption_key": KEY})


async def test_the_migrations_make_the_schema_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"include_name": lambda name, kind, _: kind != "table" or name in SCHEMA.tables}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), SCHEMA))

    async with database.begin() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(schema.revision) == schema.HEAD
    assert all(name.startswith(PREFIX) for name in SCHEMA.tables)


async def test_workers_that_start_at_once_make_one_embedded_file() -> None:
    gateway = FakeGateway()
    workers = [Database(GovernanceConfig()) for _ in range(4)]
    await asyncio.gather(*(worker.open(gateway) for worker in workers))
    async with workers[0].read() as connection:
        rows = (await connection.execute(text(f"SELECT version_num FROM {schema.VERSION_TABLE}"))).all()
    assert rows == [(schema.HEAD,)]
    await asyncio.gather(*(worker.close() for worker in workers))
    await gateway.aclose()


async def test_a_file_that_is_no_database_is_told_at_once() -> None:
    gateway = FakeGateway()
    (gateway.data_dir / "governance.sqlite3").write_text("something else entirely, and long enough to be read" * 20)
    database = Database(GovernanceConfig())
    with pytest.raises(PluginError, match="SQLite file cannot be opened: file is not a database"):
        await database.open(gateway)
    await database.close()
    await gateway.aclose()


async def test_a_start_on_postgres_asks_for_the_command_and_works_after_it(postgres: PostgresServer) -> None:
    url = await postgres.database()
    gateway = FakeGateway()
    database = Database(_config(url))
    with pytest.raises(PluginError, match="routeiq migrate"):
        await database.open(gateway)
    await database.close()
    document = {"general_settings": {"database_url": Secret(url)}}
    migrations = GovernanceMigrations()
    assert await migrations.current(document) == (None, schema.HEAD)
    await migrations.upgrade(document)
    await migrations.upgrade(document)
    assert await migrations.current(document) == (schema.HEAD, schema.HEAD)
    await database.open(gateway)
    await database.close()
    await gateway.aclose()


async def test_a_database_of_another_release_is_left_alone(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = 'from-the-future'"))
    url = database.engine.url.render_as_string(hide_password=False)
    with pytest.raises(PluginError) as refused:
        other = Database(_config(url))
        try:
            await other.open(FakeGateway())
        finally:
            await other.close()
    assert "from-the-future" in str(refused.value)


async def test_the_tables_live_beside_those_of_others(postgres: PostgresServer) -> None:
    url = await postgres.database()
    await postgres.execute('CREATE TABLE "LiteLLM_UserTable" (user_id text); CREATE TABLE keys (x text)', url)
    await GovernanceMigrations().upgrade({"general_settings": {"database_url": url}})
    listed = await postgres.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", url)
    names = set(listed.split())
    assert {"LiteLLM_UserTable", "keys"} < names
    assert names - {"LiteLLM_UserTable", "keys"} == {*SCHEMA.tables, schema.VERSION_TABLE}


async def test_no_database_needs_no_command() -> None:
    assert await GovernanceMigrations().current({}) is None
    assert await GovernanceMigrations().current({"general_settings": {"database_url": "sqlite:///x"}}) is None


@pytest.mark.parametrize(
    ("url", "told"),
    [("mysql://u:hunter2@h/d", "names mysql"), ("nonsense", "is no address"), ("://hunter2", "is no address")],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str, told: str) -> None:
    with pytest.raises(PluginError, match=told) as refused:
        make_engine(url)
    assert "hunter2" not in str(refused.value)


async def test_litellms_form_of_an_address_is_understood() -> None:
    engine = make_engine("postgres://u:p@h:5432/d?schema=public&connection_limit=10")
    assert engine.url.drivername == "postgresql+asyncpg"
    assert dict(engine.url.query) == {}
    await engine.dispose()

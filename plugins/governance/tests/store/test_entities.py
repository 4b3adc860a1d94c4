"""Entities are read as they were written, page by page, on both kinds of database."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.limits import BudgetWindow, Limits
from routeiq_governance.store import entities
from routeiq_governance.store.database import Database
from routeiq_governance.store.entities import (
    Budget,
    Customer,
    Key,
    Member,
    Organization,
    Repository,
    Tag,
    Team,
    User,
    keys,
    members,
    teams,
)
from routeiq_governance.store.tables import changes
from routeiq_sdk import RequestError, StoreUnavailable
from routeiq_sdk.testing import FakeGateway
from routeiq_testkit.servers import PostgresServer

from .conftest import KEY, migrated

SEALED = {"encryption_key": KEY}
LIMITS = Limits(
    budget=9_000_000_000 * 10**9,
    budget_duration="1mo",
    budget_since=1_700_000_000_000_000_001,
    budget_windows=(BudgetWindow("1h", 1), BudgetWindow("30d", 2)),
    model_budgets={"fast": BudgetWindow("1d", 3)},
    requests_a_minute=0,
    model_tokens_a_minute={"fast": 2**53},
)
WHOLE: dict[str, Any] = {
    "limits": LIMITS,
    "settings": {"aliases": {"a": "b"}, "none": None},
    "created_at": 1,
    "updated_at": 2,
    "created_by": "me",
    "updated_by": "you",
}
BOUNDED: dict[str, Any] = {**WHOLE, "models": ("fast", "smart"), "meta": {"ä": [1, {"b": None}]}, "blocked": True}
VALUES: list[tuple[Any, Any]] = [
    (entities.organizations, Organization(id="o", alias="O", **BOUNDED)),
    (entities.teams, Team(id="t", alias="T", external_id="x", organization_id="o", spend_base=-5, **BOUNDED)),
    (entities.users, User(id="u", email="u@x", active=False, role="internal_user", **BOUNDED)),
    (entities.keys, Key(id="0" * 64, verifier="v", name="n", service_account=True, expires_at=2**62, **BOUNDED)),
    (entities.customers, Customer(id="c", alias="C", budget_id="b", **BOUNDED)),
    (entities.tags, Tag(id="g", description="d", **BOUNDED)),
    (entities.budgets, Budget(id="b", **WHOLE)),
    (
        entities.members,
        Member(scope="team", scope_id="t", user_id="u", role="admin", limits=LIMITS, created_at=1, updated_at=2),
    ),
]
each = pytest.mark.parametrize(("repository", "value"), VALUES, ids=lambda value: type(value).__name__)


def _id(value: Any) -> tuple[str, ...]:
    return (value.scope, value.scope_id, value.user_id) if isinstance(value, Member) else (value.id,)


@each
async def test_what_is_written_is_read_again(database: Database, repository: Repository[Any], value: Any) -> None:
    async with database.begin() as connection:
        await repository.insert(connection, value)
    async with database.read() as connection:
        assert await repository.get(connection, *_id(value)) == value
        assert await repository.count(connection) == 1
    with pytest.raises(IntegrityError):
        async with database.begin() as connection:
            await repository.insert(connection, value)


@each
async def test_a_change_raises_the_version_and_nothing_else(
    database: Database, repository: Repository[Any], value: Any
) -> None:
    changed = msgspec.structs.replace(value, limits=Limits(budget=1), updated_by="another")
    async with database.begin() as connection:
        assert not await repository.save(connection, changed)
        await repository.insert(connection, value)
        assert await repository.save(connection, changed)
        found = await repository.get(connection, *_id(value))
    expected = msgspec.structs.replace(changed, version=2) if hasattr(value, "version") else changed
    assert found == expected


async def test_pages_by_key_miss_nothing_that_was_there(database: Database) -> None:
    ids = [f"{number:064x}" for number in range(25)]
    async with database.begin() as connection:
        for id in reversed(ids):
            await keys.insert(connection, Key(id=id))
    seen: list[str] = []
    after = None
    async with database.begin() as connection:
        while page := await keys.find(connection, after=after, most=10):
            seen += [key.id for key in page]
            after = (page[-1].id,)
            await keys.delete(connection, keys.table.c.id == page[0].id)  # pages before the mark may change
    assert seen == ids
    async with database.read() as connection:
        assert set(await keys.many(connection, [*ids, "missing"])) == set(ids) - {ids[0], ids[10], ids[20]}


async def test_members_are_paged_by_all_three_columns(database: Database) -> None:
    wanted = [("organization", "o", "u1"), ("team", "a", "u2"), ("team", "b", "u1"), ("team", "b", "u2")]
    async with database.begin() as connection:
        for scope, scope_id, user in wanted:
            await members.insert(connection, Member(scope=scope, scope_id=scope_id, user_id=user, role="user"))
        found = await members.find(connection, after=("team", "a", "u2"), most=9)
    assert [_id(member) for member in found] == wanted[2:]


async def test_nothing_of_a_failed_transaction_stays(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as connection:
            await teams.insert(connection, Team(id="t"))
            raise ZeroDivisionError
    async with database.read() as connection:
        assert await teams.get(connection, "t") is None


async def test_a_touch_counts_up_with_its_transaction(database: Database) -> None:
    for _ in range(3):
        async with database.begin() as connection:
            await database.touch(connection, "keys")
    async with database.read() as connection:
        assert (await connection.execute(changes.select())).all() == [("keys", 3)]


async def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    async with database.begin() as writing:
        await teams.insert(writing, Team(id="t"))
        async with database.read() as reading:
            assert await teams.get(reading, "t") is None


@pytest.mark.parametrize("text", ["\ud800", "a\ud800\x00"])
async def test_a_text_that_cannot_be_stored_is_the_askers_fault(database: Database, text: str) -> None:
    with pytest.raises(RequestError) as refused:
        async with database.read() as connection:
            await teams.get(connection, text)
    assert refused.value.status == 400


async def test_a_connection_that_was_cut_is_a_store_that_is_away(postgres: PostgresServer) -> None:
    database = Database(
        GovernanceConfig.model_validate({"database_url": await migrated(await postgres.database()), **SEALED})
    )
    gateway = FakeGateway()
    await database.open(gateway)
    for end in ("pg_terminate_backend", "pg_cancel_backend"):
        with pytest.raises(StoreUnavailable):
            async with database.begin() as connection:
                await connection.exec_driver_sql(f"SELECT {end}(pg_backend_pid())")
    assert (await database.health()).status == "ok"
    await database.close()
    await gateway.aclose()


async def test_a_closed_database_is_away(database: Database) -> None:
    await database.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        async with database.read() as connection:
            await teams.get(connection, "t")
    assert (await database.health()).status == "down"

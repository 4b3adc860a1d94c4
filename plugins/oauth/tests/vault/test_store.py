"""Rows of the vault, in both databases: found by their owner alone, written only over what was read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from routeiq_oauth.vault.database import Database
from routeiq_oauth.vault.grant import Client, Grant, Owner
from routeiq_oauth.vault.keyring import Keyring
from routeiq_oauth.vault.store import Store
from routeiq_oauth.vault.tables import tokens
from routeiq_sdk import PluginError, Secret, StoreUnavailable
from routeiq_sdk.testing.services import FakeClock

from .migrated import migrated

KEYS = Keyring([b"k" * 32])
ALICE, BOB = Owner("-", "user:alice"), Owner("-", "user:bob")


def grant(access: str = "at-1", *, issuer: str = "https://as.example", refresh: str | None = "rt-1") -> Grant:
    return Grant(
        issuer=issuer,
        resource="https://up.example/mcp",
        token_endpoint=f"{issuer}/token",
        revocation_endpoint=None,
        client=Client("gateway", "client_secret_basic", secret=Secret("the client's secret")),
        access=Secret(access),
        obtained_at=1_700_000_000,
        expires_at=1_700_003_600,
        refresh=Secret(refresh) if refresh is not None else None,
        scopes=("read",),
        asked=("read", "write"),
    )


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url: Secret | None = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        text = await server.database()
        await migrated(text)
        url = Secret(text)
    made = Database(url, tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database, KEYS, FakeClock())


async def test_a_grant_comes_back_as_it_was_and_to_its_owner_alone(store: Store) -> None:
    await store.add(ALICE, "mcp:a", grant())
    kept = await store.find(ALICE, "mcp:a")
    assert kept is not None
    assert kept.grant == grant()
    for owner, upstream in ((BOB, "mcp:a"), (Owner("acme", "user:alice"), "mcp:a"), (ALICE, "mcp:b")):
        assert await store.find(owner, upstream) is None


async def test_only_the_version_that_was_read_is_written_over(store: Store) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))
    first, second = await store.find(ALICE, "mcp:a"), await store.find(ALICE, "mcp:a")
    assert first is not None
    assert second is not None
    assert await store.replace(first, grant("at-2"))
    assert not await store.replace(second, grant("at-3"))
    assert not await store.remove(second)
    now = await store.find(ALICE, "mcp:a")
    assert now is not None
    assert now.grant == grant("at-2")


async def test_a_row_that_was_made_again_is_another_one(store: Store) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))
    before = await store.find(ALICE, "mcp:a")
    assert before is not None
    assert await store.remove(before)
    await store.add(ALICE, "mcp:a", grant("at-2"))
    assert not await store.replace(before, grant("at-3"))


async def test_a_new_consent_takes_the_place_of_all_before_it(store: Store) -> None:
    await store.add(ALICE, "mcp:a", grant("at-1"))
    before = await store.add(ALICE, "mcp:a", grant("at-2", issuer="https://other.example"))
    assert [kept.issuer for kept in before] == ["https://as.example"]
    assert [kept.issuer for kept in await store.of_upstream("mcp:a")] == ["https://other.example"]


async def test_consents_at_the_same_time_leave_one_row(store: Store) -> None:
    await asyncio.gather(*(store.add(ALICE, "mcp:a", grant(f"at-{number}")) for number in range(8)))
    assert len(await store.of_user("user:alice")) == 1


async def test_rows_cannot_be_swapped_in_the_database(store: Store, database: Database) -> None:
    await store.add(ALICE, "mcp:a", grant("at-alice"))
    await store.add(BOB, "mcp:a", grant("at-bob"))
    async with database.begin() as connection:
        rows = {row.user: row.sealed for row in (await connection.execute(tokens.select())).all()}
        moved = update(tokens).where(tokens.c.user == "user:bob").values(sealed=rows["user:alice"])
        await connection.execute(moved)
    kept = await store.find(BOB, "mcp:a")
    assert kept is not None
    assert kept.grant is None


async def test_nothing_secret_lies_in_the_database(store: Store, database: Database) -> None:
    await store.add(ALICE, "mcp:a", grant("at-alice"))
    await store.keep_client("https://as.example", "https://gw.example/cb", grant().client)
    async with database.read() as connection:
        text = repr((await connection.execute(tokens.select())).all())
    for secret in ("at-alice", "rt-1", "the client's secret"):
        assert secret not in text
        assert secret not in repr(await store.find(ALICE, "mcp:a"))
    assert await store.client("https://as.example", "https://gw.example/cb") == grant().client
    assert await store.client("https://as.example", "https://other.example/cb") is None


async def test_a_new_key_seals_old_rows_anew(database: Database) -> None:
    await Store(database, KEYS, FakeClock()).add(ALICE, "mcp:a", grant())
    rotated = Store(database, Keyring([b"n" * 32, b"k" * 32]), FakeClock())
    assert await rotated.reseal() == 1
    assert await rotated.reseal() == 0
    kept = await Store(database, Keyring([b"n" * 32]), FakeClock()).find(ALICE, "mcp:a")
    assert kept is not None
    assert kept.grant == grant()


async def test_grants_that_end_are_found_unless_they_cannot_be_refreshed(store: Store) -> None:
    await store.add(ALICE, "mcp:a", grant())
    await store.add(BOB, "mcp:a", grant(refresh=None))
    assert [kept.owner for kept in await store.ending(1_700_003_601)] == [ALICE]
    assert await store.ending(1_700_003_600) == []


async def test_a_database_that_was_closed_says_so(database: Database, store: Store) -> None:
    await database.close()
    with pytest.raises(StoreUnavailable):
        await store.find(ALICE, "mcp:a")


async def test_a_database_without_our_tables_stops_the_start(postgres: object, tmp_path: Path) -> None:
    url = await postgres.database()  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="routeiq migrate"):
        await Database(Secret(url), tmp_path).open()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["alice", "bob"]), st.sampled_from(["mcp:a", "mcp:b"]), st.sampled_from("arxf")),
        max_size=12,
    )
)
async def test_whatever_happens_in_whatever_order_nobody_gets_anothers_grant(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    database = Database(None, tmp_path_factory.mktemp("vault"))
    await database.open()
    store = Store(database, KEYS, FakeClock())

    async def step(number: int, user: str, upstream: str, what: str) -> None:
        owner = Owner("-", f"user:{user}")
        kept = await store.find(owner, upstream)
        if kept is not None and kept.grant is not None:
            assert kept.grant.access.reveal().startswith(f"{user} {upstream} ")
        if what == "a":
            await store.add(owner, upstream, grant(f"{user} {upstream} {number}"))
        elif what == "r" and kept is not None:
            await store.replace(kept, grant(f"{user} {upstream} {number}"))
        elif what == "x" and kept is not None:
            await store.remove(kept)

    try:
        await asyncio.gather(*(step(number, *each) for number, each in enumerate(steps)))
        for user in ("alice", "bob"):
            for kept in await store.of_user(f"user:{user}"):
                assert kept.grant is not None
                assert kept.grant.access.reveal().startswith(f"{user} {kept.upstream} ")
    finally:
        await database.close()

"""The ledger takes each entry once, its double entry sums to nothing, and its sums are the sums of its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.ledger.book import Ledger
from routeiq_governance.ledger.entry import CORRECTION, LOST, Entry, Taken, packed, unpacked
from routeiq_governance.ledger.writing import write
from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import entries, meters, postings, totals
from routeiq_sdk.testing import FakeGateway
from routeiq_testkit.governance_tables import lay_tables


def entry(request: str = "r", attempt: int = 1, cost: int = 7, **more: object) -> Entry:
    known = {"key_id": "k", "team_id": "t", "user_id": "u", "provider": "openai", "model_group": "m"}
    told = {"at": 10, "ended_at": 20, "outcome": "ok", "status": 200, **known, **more}
    return Entry(request_id=request, attempt=attempt, cost=cost, **told)  # type: ignore[arg-type]


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Database, FakeGateway]]:
    gateway = FakeGateway("governance")
    database = Database(GovernanceConfig())
    lay_tables(gateway.data_dir)
    await database.open(gateway)
    try:
        yield database, gateway
    finally:
        await database.close()
        await gateway.aclose()


async def figure(database: Database, statement: object) -> int:
    async with database.read() as connection:
        return int((await connection.execute(statement)).scalar() or 0)  # type: ignore[call-overload]


async def test_an_entry_that_comes_twice_is_written_once() -> None:
    async with opened() as (database, _):
        for _ in range(2):
            async with database.begin() as connection:
                await write(connection, [entry(meters=(Taken("x", 7),)), entry(attempt=2, cost=1)])
        assert await figure(database, select(func.count()).select_from(entries)) == 2
        assert await figure(database, select(totals.c.spend).where(totals.c.scope == "key")) == 8
        assert await figure(database, select(meters.c.amount).where(meters.c.meter == "x")) == 7
        assert await figure(database, select(totals.c.requests).where(totals.c.scope == "global")) == 1


async def test_what_a_sweeper_guessed_is_set_right_by_what_really_happened() -> None:
    async with opened() as (database, _):
        guess = entry(cost=100, outcome=LOST, output_tokens=50, meters=(Taken("x", 100), Taken("n", 1)))
        truth = entry(cost=30, output_tokens=12, meters=(Taken("x", 30), Taken("n", 1)))
        for batch in ([guess], [truth], [truth]):
            async with database.begin() as connection:
                await write(connection, batch)
        assert await figure(database, select(func.sum(entries.c.cost))) == 30
        assert await figure(database, select(func.sum(entries.c.output_tokens))) == 12
        assert await figure(database, select(totals.c.spend).where(totals.c.scope == "team")) == 30
        assert await figure(database, select(meters.c.amount).where(meters.c.meter == "x")) == 30
        assert await figure(database, select(meters.c.amount).where(meters.c.meter == "n")) == 1
        kinds = select(func.count()).where(entries.c.kind == CORRECTION)
        assert await figure(database, kinds) == 1


async def test_the_other_way_round_the_truth_stays() -> None:
    async with opened() as (database, _):
        for batch in ([entry(cost=30)], [entry(cost=100, outcome=LOST)]):
            async with database.begin() as connection:
                await write(connection, batch)
        assert await figure(database, select(func.sum(entries.c.cost))) == 30


_ENTRIES = st.lists(
    st.builds(
        entry,
        request=st.sampled_from("abcdef"),
        attempt=st.integers(1, 3),
        cost=st.integers(0, 2**50),
        key_id=st.sampled_from(["k1", "k2", None]),
        team_id=st.sampled_from(["t1", None]),
        user_id=st.sampled_from(["u1", "u2", None]),
        tags=st.sampled_from([(), ("a",), ("a", "b")]),
        outcome=st.sampled_from(["ok", "error", LOST]),
        meters=st.sampled_from([(), (Taken("x", 5),)]),
    ),
    max_size=12,
)


@settings(max_examples=15, deadline=None)
@given(st.lists(_ENTRIES, max_size=4))
async def test_sums_are_the_sums_of_rows_and_double_entries_sum_to_nothing(batches: list[list[Entry]]) -> None:
    async with opened() as (database, _):
        for batch in batches:
            async with database.begin() as connection:
                await write(connection, batch)
        rows = select(func.sum(entries.c.cost))
        assert await figure(database, select(totals.c.spend).where(totals.c.scope == "global")) == await figure(
            database, rows
        )
        assert await figure(database, select(func.sum(postings.c.amount))) == 0
        for scope, column in (("key", entries.c.key_id), ("team", entries.c.team_id), ("user", entries.c.user_id)):
            by_rows = await figure(database, rows.where(column.is_not(None)))
            by_sums = await figure(database, select(func.sum(totals.c.spend)).where(totals.c.scope == scope))
            assert by_rows == by_sums


async def test_what_was_accepted_survives_a_database_that_is_away_and_a_restart() -> None:
    async with opened() as (database, gateway):
        first = Ledger(GovernanceConfig(), database)
        first._spool = await gateway.spool("ledger")  # a process that died before it wrote
        await first.take([entry("lost", cost=5)])
        again = Ledger(GovernanceConfig(), database)
        await again.open(gateway)
        await again.take([entry("next", cost=6)])
        assert await again.spend("key", ["k", "other"]) == {"k": 11}
        await again.close()


def test_a_batch_comes_out_of_the_spool_as_it_went_in() -> None:
    batch = [entry(tags=("a",), detail={"error": "X"}, meters=(Taken("m", 1, 2),)), entry(kind="overrun", cost=1)]
    assert unpacked(packed(batch)) == batch
    assert msgspec.structs.replace(batch[0], cost=8) != batch[0]


@pytest.mark.parametrize(("team", "user", "member"), [("t", "u", True), ("t", None, False), (None, "u", False)])
def test_a_member_is_a_user_in_a_team(team: str | None, user: str | None, member: bool) -> None:
    scopes = {scope for scope, _ in entry(team_id=team, user_id=user).scopes}
    assert ("member" in scopes) is member

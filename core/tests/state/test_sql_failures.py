"""SQL stores that are away, hang, come back, lost something, or are kept busy by others: which error, and what is left.

How fast a call fails meanwhile is measured by benches.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text

from routeiq.state.clock import SystemClock
from routeiq.state.sql_open import SqlStores, open_postgres, open_sqlite
from routeiq.state.sql_postgres import PostgresDatabase
from routeiq.state.sql_schema import upgrade
from routeiq_sdk import MetersLost, StoreUnavailable
from routeiq_sdk.values.meters import Charge, Held, Level, Posting
from routeiq_testkit.servers import PostgresServer

from .held_clock import HeldClock

T = TypeVar("T")
CHARGES = [Charge("a", 100, base=10)]
DEADLINE = 20.0
CHILD = """
import asyncio, sys
from pathlib import Path
from routeiq.state.clock import SystemClock
from routeiq.state.sql_open import open_sqlite
from routeiq_sdk.values.meters import Charge

async def main():
    stores = await open_sqlite(Path(sys.argv[1]), SystemClock())
    for n in range(10_000):
        await stores.meters.reserve(f"h{n}", [Charge("a", base=1)], seconds=0.001, note=b"theirs")
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def url(postgres: PostgresServer) -> str:
    url = await postgres.database()
    database = PostgresDatabase(url, SystemClock())
    await database.write(upgrade, seconds=30)
    await database.aclose()
    return url


@pytest.fixture
async def stores(url: str) -> AsyncIterator[SqlStores]:
    stores = await open_postgres(url, SystemClock(), call_seconds=DEADLINE)
    await stores.meters.restore([])
    yield stores
    await stores.aclose()


async def until_it_answers(ask: Callable[[], Awaitable[T]]) -> T:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                return await ask()
            except StoreUnavailable:
                await asyncio.sleep(0.05)


def run(stores: SqlStores, statement: str) -> Awaitable[None]:
    def step(connection: Connection) -> None:
        connection.execute(text(statement))

    return stores.database.write(step)


def count(stores: SqlStores, table: str) -> Awaitable[int]:
    return stores.database.read(
        lambda connection: int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
    )


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_server_that_ends_is_unavailable_and_what_was_committed_is_there_when_it_is_back(
    postgres: PostgresServer, stores: SqlStores, how: str
) -> None:
    await asyncio.gather(*(stores.meters.reserve(f"h{n}", CHARGES) for n in range(4)))
    await stores.meters.settle("h0", [Posting("a", 3)])
    getattr(postgres, how)()
    for _ in range(4):
        with pytest.raises(StoreUnavailable):
            await stores.meters.reserve("new", CHARGES)
    assert stores.database.breaker.open
    with pytest.raises(StoreUnavailable):
        await stores.state.counters(["a"])
    postgres.start()
    assert await until_it_answers(lambda: stores.meters.levels(["a"])) == [Level(33, 30)]
    assert await stores.meters.lost() is False
    assert await stores.meters.reserve("new", CHARGES) == Held(0, (57,))
    assert not stores.database.breaker.open


async def test_a_server_that_hangs_is_unavailable_until_it_goes_on(postgres: PostgresServer, stores: SqlStores) -> None:
    await stores.state.put("t", "k", b"1")
    stores.database.call_seconds = 0.5
    postgres.pause()
    for _ in range(4):
        with pytest.raises(StoreUnavailable):
            await stores.state.get("t", "k")
    assert stores.database.breaker.open
    postgres.resume()
    stores.database.call_seconds = DEADLINE
    assert await until_it_answers(lambda: stores.state.get("t", "k")) == b"1"


async def test_one_restart_costs_no_call_that_did_not_reach_the_old_server(
    postgres: PostgresServer, stores: SqlStores
) -> None:
    await asyncio.gather(*(stores.state.increment("a", 1) for _ in range(8)))
    postgres.restart()
    for n in range(9, 12):
        assert await stores.state.increment("a", 1) == n


async def test_subscribers_hear_again_after_a_restart(postgres: PostgresServer, stores: SqlStores) -> None:
    async with stores.state.subscribe("c") as messages:
        postgres.restart()
        heard = asyncio.ensure_future(anext(messages))
        async with asyncio.timeout(DEADLINE):
            while not heard.done():
                await until_it_answers(lambda: stores.state.publish("c", b"again"))
                await asyncio.wait([heard], timeout=0.1)
        assert heard.result() == b"again"


async def test_large_messages_keep_their_place(stores: SqlStores) -> None:
    sent = [b"small", b"x" * 100_000, b"after"]
    async with stores.state.subscribe("c") as messages:
        for message in sent:
            await stores.state.publish("c", message)
        async with asyncio.timeout(DEADLINE):
            assert [await anext(messages) for _ in sent] == sent


async def test_a_promoted_standby_or_emptied_tables_have_lost_their_meters(stores: SqlStores) -> None:
    losses = (
        "UPDATE routeiq_state_marks SET value = 'timeline of the server before'",
        "TRUNCATE routeiq_state_marks, routeiq_state_meters, routeiq_state_holds, routeiq_state_sequences",
    )
    for number, loss in enumerate(losses):
        await stores.meters.reserve(f"h{number}", CHARGES)
        await run(stores, loss)
        assert await stores.meters.lost() is True
        with pytest.raises(MetersLost):
            await stores.meters.reserve("new", CHARGES)
        assert not stores.database.breaker.open
        await stores.meters.reserve(f"h{number}", CHARGES, forced=True)
        assert await stores.meters.restore([Posting("a", 50)]) is True
        assert await stores.meters.levels(["a"]) == [Level(60, 10)]
        await stores.meters.settle(f"h{number}", [])


async def test_epochs_rise_also_after_the_tables_were_emptied(stores: SqlStores) -> None:
    before = await stores.state.acquire("l", "one", 60)
    await run(stores, "TRUNCATE routeiq_state_leases, routeiq_state_sequences")
    after = await stores.state.acquire("l", "two", 60)
    assert before is not None
    assert after is not None
    assert after.epoch > before.epoch


async def test_leases_end_by_the_clock_of_the_server_whatever_a_client_thinks(url: str) -> None:
    wrong = await open_postgres(url, HeldClock())
    right = await open_postgres(url, SystemClock())
    assert await wrong.state.acquire("l", "wrong", 60) is not None
    assert await right.state.acquire("l", "right", 60) is None
    await right.state.increment("a", 1, ttl_seconds=60)
    assert await wrong.state.counters(["a"]) == [1]
    await wrong.aclose()
    await right.aclose()


async def test_what_has_ended_is_swept_and_nothing_else(stores: SqlStores) -> None:
    for n in range(600):
        await stores.state.increment(f"ends-{n}", 1, ttl_seconds=0.001)
    await stores.state.put("t", "kept", b"1", ttl_seconds=60)
    await stores.state.increment("kept", 1)
    await stores.meters.reserve("open", CHARGES)
    await stores.meters.settle("ended", [])
    await stores.sweeper.sweep()
    assert await count(stores, "routeiq_state_counters") == 1
    assert await stores.state.get("t", "kept") == b"1"
    assert await stores.state.counters(["kept"]) == [1]
    assert await stores.meters.renew(["open"], 60) == []
    assert await stores.meters.settle("ended", []) is False


async def test_a_file_that_another_keeps_locked_is_unavailable_until_it_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    stores = await open_sqlite(path, SystemClock())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="busy"):
        await stores.state.increment("a", 1)
    assert await stores.state.counters(["a"]) == [0]
    other.execute("ROLLBACK")
    other.close()
    assert await stores.state.increment("a", 1) == 1
    await stores.aclose()


async def test_a_killed_process_leaves_what_it_committed_and_its_holds_are_found(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    stores = await open_sqlite(path, SystemClock(), call_seconds=DEADLINE)
    await stores.meters.restore([])
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, str(path), stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    told = -1
    async with asyncio.timeout(DEADLINE):
        while told < 50:
            told = int(await child.stdout.readline())
    child.kill()
    rest = (await child.communicate())[0].split()
    told = int(rest[-1]) if rest else told
    late = await stores.meters.overdue(100_000)
    assert len(late) in (told + 1, told + 2)
    assert {one.note for one in late} == {b"theirs"}
    for one in late:
        assert await stores.meters.settle(one.hold, []) is True
    assert await stores.meters.levels(["a"]) == [Level()]
    await stores.aclose()


async def test_meters_of_another_boot_of_the_machine_are_lost(tmp_path: Path) -> None:
    stores = await open_sqlite(tmp_path / "state.sqlite3", SystemClock())
    await stores.meters.restore([Posting("a", 1)])
    stores.database.epoch = "boot after a power cut"
    assert await stores.meters.lost() is True
    with pytest.raises(MetersLost):
        await stores.meters.reserve("h", CHARGES)
    assert await stores.meters.restore([Posting("a", 2)]) is True
    assert await stores.meters.levels(["a"]) == [Level(2)]
    await stores.aclose()

"""While the database is away or does not answer: known keys work on for a while, others hear 503, nobody waits long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from routeiq_governance.identity.asking import Asking
from routeiq_governance.store.database import make_engine
from routeiq_governance.store.schema import upgrade
from routeiq_sdk import Principal, Reject, RequestError, StoreUnavailable
from routeiq_testkit.servers import PostgresServer

from .room import Room, open_room

SECRET, OTHER = "sk-0123456789abcdef-of-a-test", "sk-another-0123456789abcdef"


@pytest_asyncio.fixture
async def room(postgres: PostgresServer) -> AsyncIterator[Room]:
    """One worker on PostgreSQL, which keeps keys for a minute."""
    url = await postgres.database()
    engine = make_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()
    async with open_room(config={"database_url": url, "encryption_key": "a secret of the tests alone"}) as opened:
        yield opened
        postgres.refresh()


async def _refused(room: Room, credential: str) -> RequestError:
    with pytest.raises(RequestError) as refused:
        await room.present(credential)
    return refused.value


async def test_known_keys_work_on_and_unknown_ones_hear_503(room: Room, postgres: PostgresServer) -> None:
    await room.add(SECRET, expires_at=room.gateway.clock.now_ns() + 30 * 10**9)
    blocked = await room.add(OTHER, blocked=True)
    assert isinstance(await room.present(SECRET), Principal)
    assert isinstance(await room.present(OTHER), Reject)
    postgres.stop()
    assert isinstance(await room.present(SECRET), Principal)
    refused = await room.present(OTHER)
    assert isinstance(refused, Reject), blocked
    error = await _refused(room, "sk-never-seen-0123456789")
    assert (error.status, error.type, error.headers["retry-after"]) == (503, "no_db_connection", "1")
    room.gateway.clock.advance(31)
    refused = await room.present(SECRET)
    assert isinstance(refused, Reject)
    assert refused.type == "expired_key", "what is known of a key is looked at all the same"


async def test_after_the_configured_time_known_keys_hear_503_too(room: Room, postgres: PostgresServer) -> None:
    await room.add(SECRET)
    assert isinstance(await room.present(SECRET), Principal)
    postgres.stop()
    room.gateway.clock.advance(67)
    assert (await _refused(room, SECRET)).status == 503
    postgres.start()
    async with asyncio.timeout(20):
        while True:
            try:
                assert isinstance(await room.present(SECRET), Principal)
                return
            except RequestError as error:
                assert error.status == 503  # noqa: PT017 (until it is back)
                await asyncio.sleep(0.05)


async def test_a_key_that_was_unknown_is_not_refused_while_nobody_can_tell(
    room: Room, postgres: PostgresServer
) -> None:
    assert await room.present(SECRET) is None
    postgres.stop()
    room.gateway.clock.advance(7)
    assert (await _refused(room, SECRET)).status == 503


async def test_a_database_that_hangs_holds_nobody_up(room: Room, postgres: PostgresServer) -> None:
    await room.add(SECRET)
    await room.add(OTHER)
    assert isinstance(await room.present(SECRET), Principal)
    postgres.pause()
    async with asyncio.timeout(5):  # the driver itself would wait for 30 s
        assert (await _refused(room, OTHER)).status == 503
        errors = await asyncio.gather(*(_refused(room, f"sk-nobody-{number:016}") for number in range(100)))
    assert {error.status for error in errors} == {503}
    assert isinstance(await room.present(SECRET), Principal)
    postgres.resume()
    async with asyncio.timeout(20):
        while True:
            try:
                assert isinstance(await room.present(OTHER), Principal)
                return
            except RequestError:
                await asyncio.sleep(0.05)


async def test_an_imported_key_works_though_its_verifier_cannot_be_written(
    room: Room, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await room.add(SECRET)
    await room.write(msgspec.structs.replace(key, verifier=None))
    await room.identity._look_up(key.id)  # known, but not used yet
    postgres.stop()
    assert isinstance(await room.present(SECRET), Principal)


async def test_one_question_a_second_finds_out_whether_the_database_is_back() -> None:
    asking, asked = Asking(), 0

    async def away() -> None:
        nonlocal asked
        asked += 1
        raise StoreUnavailable("gone")

    for number in range(20):
        with pytest.raises(StoreUnavailable):
            await asking.once(number, away)
    assert asked == 1


async def test_what_a_question_raises_reaches_everybody_who_waits() -> None:
    asking, go = Asking(), asyncio.Event()

    async def wrong() -> None:
        await go.wait()
        raise RequestError(418, "no")

    waiting = [asyncio.ensure_future(asking.once("same", wrong)) for _ in range(3)]
    await asyncio.sleep(0)
    go.set()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in told] == [RequestError] * 3


async def test_who_gives_up_leaves_the_question_to_the_others() -> None:
    asking, go = Asking(), asyncio.Event()

    async def answer() -> int:
        await go.wait()
        return 7

    first, second = (asyncio.ensure_future(asking.once("same", answer)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await second == 7
    assert first.cancelled()

"""A Redis store that stops, hangs, restarts, is flushed or full: which error comes, how soon, and what comes after.

How long it takes is measured in the benchmark, not here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import pytest

from routeiq.state.errors import StateFull
from routeiq.state.redis_open import RedisStores
from routeiq_sdk import ConfigError, MetersLost, StoreUnavailable
from routeiq_sdk.values.meters import Charge, Held, Level, Posting
from routeiq_testkit.servers import ValkeyServer

from .redis_places import stores, until_back

CHARGE = Charge("a", 100, base=10)
SECRET = "s3cr3t-password"


@pytest.fixture
async def opened(valkey: ValkeyServer) -> AsyncIterator[RedisStores]:
    async with stores(valkey.url) as opened:
        await opened.meters.restore([Posting("a", 5)])
        yield opened


@pytest.fixture
def own() -> Iterator[ValkeyServer]:
    """A server that a test configures for itself."""
    server = ValkeyServer()
    yield server
    server.kill()


def fails_at_once(call: Coroutine[Any, Any, object]) -> None:
    """The call raises before it waits for anything."""
    with pytest.raises(StoreUnavailable):
        call.send(None)
        call.close()


async def test_a_store_that_hangs_is_left_alone_until_it_answers(valkey: ValkeyServer, opened: RedisStores) -> None:
    await opened.meters.reserve("h", [CHARGE])
    valkey.pause()
    calls = [opened.meters.reserve(f"h{n}", [CHARGE]) for n in range(5)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in errors} == {StoreUnavailable}
    for _ in range(100):
        fails_at_once(opened.meters.reserve("other", [CHARGE]))
        fails_at_once(opened.state.increment("a", 1))
    valkey.resume()
    await until_back(opened)
    assert await opened.meters.lost() is False
    # What was sent before the silence was done, and asking again takes nothing.
    again = [await opened.meters.reserve(f"h{n}", [CHARGE]) for n in range(5)]
    assert all(isinstance(held, Held) for held in again)
    assert await opened.meters.levels(["a"]) == [Level(65, 60)]


async def test_a_store_that_was_killed_comes_back_without_its_meters(valkey: ValkeyServer, opened: RedisStores) -> None:
    await opened.meters.reserve("h", [CHARGE])
    valkey.kill()
    # The first call finds its connection cut, the second that nobody listens.
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await opened.meters.settle("h", [])
    fails_at_once(opened.meters.settle("h", []))
    fails_at_once(opened.meters.lost())
    valkey.start()
    await until_back(opened)
    assert await opened.meters.lost() is True
    with pytest.raises(MetersLost):
        await opened.meters.reserve("other", [CHARGE])
    assert await opened.meters.restore([Posting("a", 15)]) is True
    assert await opened.meters.reserve("other", [CHARGE]) == Held(0, (75,))


async def test_a_restart_between_two_calls_costs_no_call(valkey: ValkeyServer, opened: RedisStores) -> None:
    await opened.state.increment("a", 1)
    valkey.restart()
    async with asyncio.timeout(10):
        while opened.link.identity:
            await asyncio.sleep(0.001)
    assert await opened.state.increment("a", 1) == 1
    assert await opened.meters.lost() is True


async def test_a_flush_loses_the_meters(valkey: ValkeyServer, opened: RedisStores) -> None:
    await opened.meters.reserve("h", [CHARGE])
    valkey.flush()
    with pytest.raises(MetersLost):
        await opened.meters.reserve("other", [CHARGE])
    assert await opened.meters.lost() is True
    assert await opened.meters.renew(["h"], 60) == ["h"]
    assert await opened.meters.reserve("h", [CHARGE], forced=True) == Held(0, (90,))
    assert await opened.meters.restore([Posting("a", 5)]) is True
    assert await opened.meters.reserve("other", [CHARGE]) == Held(0, (75,))


async def test_meters_that_the_server_threw_away_are_lost(valkey: ValkeyServer, opened: RedisStores) -> None:
    valkey.ask("DEL", "{routeiq}meters")
    with pytest.raises(MetersLost):
        await opened.meters.reserve("other", [CHARGE])


async def test_meters_from_a_file_are_those_of_another_life(own: ValkeyServer) -> None:
    own.options = {"appendonly": "yes", "appendfsync": "always"}
    own.start()
    async with stores(own.url) as opened:
        await opened.meters.restore([Posting("a", 5), Posting("gone", 7)])
        await opened.meters.reserve("h", [CHARGE])
    own.restart()
    async with stores(own.url) as opened:
        assert await opened.meters.levels(["a"]) == [Level(15, 10)]
        assert await opened.meters.lost() is True
        assert await opened.meters.restore([Posting("a", 6)]) is True
        assert await opened.meters.levels(["a", "gone"]) == [Level(16, 10), Level()]


async def test_a_server_that_forgot_the_scripts_is_told_them_again(valkey: ValkeyServer, opened: RedisStores) -> None:
    await opened.meters.reserve("h", [CHARGE])
    valkey.ask("SCRIPT", "FLUSH")
    assert await opened.meters.reserve("other", [CHARGE]) == Held(0, (75,))


async def test_a_reserve_and_a_settle_are_one_command_each(valkey: ValkeyServer, opened: RedisStores) -> None:
    charges = [Charge(f"m{n}", 100, base=1) for n in range(20)]
    await opened.meters.reserve("warm", charges)
    await opened.meters.settle("warm", [])

    def asked() -> int:
        told = str(valkey.ask("INFO", "commandstats"))
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in told.splitlines() if "evalsha" in line)

    before = asked()
    await opened.meters.reserve("h", charges)
    await opened.meters.settle("h", [Posting(charge.meter, 1) for charge in charges])
    assert asked() - before == 2


async def test_a_caller_that_goes_away_disturbs_nobody(valkey: ValkeyServer, opened: RedisStores) -> None:
    calls = [asyncio.create_task(opened.state.increment("a", 1)) for _ in range(20)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    got = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(value, int) for value in got[1::2]] == [True] * 10
    assert opened.link.identity
    assert await opened.state.counters(["b"]) == [0]


async def test_a_full_server_says_so_and_loses_nothing(own: ValkeyServer) -> None:
    own.options = {"maxmemory": "3mb", "maxmemory-policy": "noeviction"}
    own.start()
    async with stores(own.url) as opened:
        await opened.state.put("t", "kept", b"1")
        with pytest.raises(StateFull):
            for n in range(1000):
                await opened.state.put("t", str(n), b"x" * 100_000)
        assert await opened.state.get("t", "kept") == b"1"


async def test_messages_are_heard_again_after_a_lost_connection(valkey: ValkeyServer, opened: RedisStores) -> None:
    async with opened.state.subscribe("c") as messages, opened.state.subscribe("d"):
        await opened.state.publish("c", b"one")
        assert await anext(messages) == b"one"
        valkey.kill()
        valkey.start()
        await until_back(opened)
        async with asyncio.timeout(10):
            while valkey.ask("PUBSUB", "NUMSUB", "{routeiq}m:c")[1] == 0:
                await asyncio.sleep(0.01)
            await opened.state.publish("c", b"two")
            assert await anext(messages) == b"two"


async def test_a_store_that_is_away_cannot_be_subscribed_to(valkey: ValkeyServer, opened: RedisStores) -> None:
    valkey.kill()
    with pytest.raises(StoreUnavailable):
        async with opened.state.subscribe("c"):
            pass


async def test_a_store_that_is_away_at_the_start_is_named() -> None:
    server = ValkeyServer(password=SECRET)
    server.start()
    server.kill()
    with pytest.raises(StoreUnavailable, match=server.address) as caught:
        async with stores(server.url):
            pass
    assert SECRET not in str(caught.value)


async def test_a_wrong_password_is_an_error_of_the_configuration(own: ValkeyServer) -> None:
    own.password = SECRET
    own.start()
    async with stores(own.url) as opened:
        assert await opened.state.increment("a", 1) == 1
    for url in (own.url.replace(SECRET, SECRET[1:]), own.url.replace(f":{SECRET}@", "")):
        with pytest.raises(ConfigError, match="does not let us in") as caught:
            async with stores(url):
                pass
        assert SECRET[1:] not in str(caught.value)


async def test_a_replica_is_no_store(valkey: ValkeyServer, own: ValkeyServer) -> None:
    own.options = {"replicaof": f"127.0.0.1 {valkey.port}"}
    own.start()
    with pytest.raises(StoreUnavailable, match="replica"):
        async with stores(own.url):
            pass

"""The Redis store over one Valkey server: both contracts, and what it leaves on the server."""

from __future__ import annotations

import asyncio
import time

import pytest

from routeiq_sdk.values.meters import Charge, Held, Level, Posting
from routeiq_testkit.servers import ValkeyServer

from .redis_places import MetersAtAPlace, StateAtAPlace, stores


class TestValkeyStateKeepsTheContract(StateAtAPlace):
    @pytest.fixture(autouse=True)
    def place(self, valkey: ValkeyServer) -> None:
        self.server = valkey


class TestValkeyMetersKeepTheContract(MetersAtAPlace):
    @pytest.fixture(autouse=True)
    def place(self, valkey: ValkeyServer) -> None:
        self.server = valkey


def kept(valkey: ValkeyServer) -> list[str]:
    return sorted(str(key).removeprefix("{routeiq}") for key in valkey.ask("KEYS", "*"))


async def test_many_meters_are_restored_by_pages_and_replace_what_was_there(valkey: ValkeyServer) -> None:
    ends = time.time_ns() + 3600 * 10**9
    async with stores(valkey.url) as opened:
        meters = opened.meters
        await meters.adjust([Posting("old", 3)])
        await meters.reserve("h", [Charge("m7", base=100, ends=ends), Charge("held", base=2**60)], forced=True)
        postings = [Posting(f"m{n}", n, ends if n % 2 else None) for n in range(4500)]
        assert (
            await meters.restore([*postings, Posting("large", 2**62 + 1), Posting("m1", 5), Posting("zero", 0)]) is True
        )
        assert kept(valkey) == ["ends", "h:h", "leases", "meters"]
        assert valkey.ask("TTL", "{routeiq}meters") == -1
        assert valkey.ask("ZCARD", "{routeiq}ends") == 2250
        levels = await meters.levels([f"m{n}" for n in range(4500)])
        assert levels == [Level(n + 5 * (n == 1) + 100 * (n == 7), 100 * (n == 7)) for n in range(4500)]
        assert await meters.levels(["large", "held", "old"]) == [Level(2**62 + 1), Level(2**60, 2**60), Level()]
        assert await meters.restore([Posting("m7", 1)]) is False
        assert kept(valkey) == ["ends", "h:h", "leases", "meters"]


async def test_what_is_past_or_back_at_nothing_leaves_the_server(valkey: ValkeyServer) -> None:
    async with stores(valkey.url) as opened:
        meters, state = opened.meters, opened.state
        await meters.restore([])
        ends = time.time_ns() + 50_000_000
        for n in range(30):
            assert isinstance(await meters.reserve(f"h{n}", [Charge(f"m{n}", base=1, ends=ends)]), Held)
            await meters.settle(f"h{n}", [])
        await meters.reserve("h", [Charge("in-flight", base=1)])
        await meters.settle("h", [])
        for n in range(30):
            await state.put("t", str(n), b"", ttl_seconds=0.05)
            await state.increment("c", 1)
            await state.increment("c", -1)
        # The server ends the records; their names and the meters go with later calls.
        async with asyncio.timeout(20):
            while any(key.startswith("r:") for key in kept(valkey)):
                await asyncio.sleep(0.01)
            while valkey.ask("ZCARD", "{routeiq}n:t"):
                await state.put("t", "last", b"", ttl_seconds=60)
                await state.delete("t", "last")
            while valkey.ask("ZCARD", "{routeiq}ends"):
                await meters.overdue()
        left = [key for key in kept(valkey) if not key.startswith("t:")]
        assert left == ["meters"]
        assert valkey.ask("HLEN", "{routeiq}meters") == 1

"""The arithmetic of the scripts against plain Python's, for amounts of every size up to 64 bits."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routeiq.state.memory_meters import MemoryMeters
from routeiq.state.redis_open import RedisStores, open_redis
from routeiq_sdk.gateway import MeterService
from routeiq_sdk.values.meters import Charge, Held, Level, Posting, Refused
from routeiq_testkit.servers import ValkeyServer

from .held_clock import HeldClock

EDGES = [10**7, 10**14, 10**15, 2**53, 2**62, 2**63]


def integers(least: int) -> st.SearchStrategy[int]:
    """Small ones, ones of any size, and those about a number where something changes."""
    about = st.builds(lambda edge, by: edge + by, st.sampled_from(EDGES), st.integers(-3, 3))
    every = st.integers(0, 30) | st.integers(0, 2**63 - 1) | about
    signed = every | every.map(lambda value: -value)
    return signed.filter(lambda value: least <= value < 2**63)


@st.composite
def charges(draw: st.DrawFn) -> list[Charge]:
    return [
        Charge(
            name,
            limit=draw(st.none() | integers(-(2**63))),
            base=draw(integers(0)),
            rate=draw(integers(0)),
            previous=draw(st.none() | st.sampled_from("abc")),
            previous_weight=draw(st.integers(0, 1_000_000)),
            enforced=draw(st.booleans()),
        )
        for name in draw(st.lists(st.sampled_from("abc"), unique=True, max_size=3))
    ]


POSTINGS = st.lists(st.builds(Posting, st.sampled_from("abc"), integers(-(2**63))), max_size=3)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def redis(valkey: ValkeyServer, runner: asyncio.Runner) -> Iterator[RedisStores]:
    opened = runner.run(open_redis(valkey.url, HeldClock()))
    yield opened
    runner.run(opened.aclose())


def test_a_script_grants_and_counts_as_python_does(
    valkey: ValkeyServer, redis: RedisStores, runner: asyncio.Runner
) -> None:
    numbers = itertools.count()

    async def step(
        meters: MeterService,
        holds: str,
        taken: list[Posting],
        asked: list[Charge],
        most: int,
        least: int,
        used: list[Posting],
    ) -> tuple[Held | Refused | str, bool | str, list[Level]]:
        await meters.restore([])
        got: Held | Refused | str
        ended: bool | str
        try:
            await meters.adjust(taken)
            got = await meters.reserve(f"{holds}-1", asked, most=most, least=least)
        except OverflowError:
            got = "overflow"
        try:
            ended = await meters.settle(f"{holds}-1", used)
        except OverflowError:
            ended = "overflow"
        return got, ended, await meters.levels("abc")

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(POSTINGS, charges(), integers(0), integers(0), POSTINGS)
    def agrees(taken: list[Posting], asked: list[Charge], some: int, more: int, used: list[Posting]) -> None:
        valkey.flush()
        most, least = max(some, more), min(some, more)
        name = str(next(numbers))
        expected = asyncio.run(step(MemoryMeters(HeldClock()), name, taken, asked, most, least, used))
        assert runner.run(step(redis.meters, name, taken, asked, most, least, used)) == expected

    agrees()

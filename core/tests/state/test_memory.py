"""The memory store: the contract, and the bounds that only it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from routeiq.state.errors import StateFull
from routeiq.state.memory import MemoryLimits, MemoryState
from routeiq_sdk.gateway import StateService

from .contract import StateContract
from .held_clock import HeldClock


class TestMemoryKeepsTheContract(StateContract):
    clock: HeldClock

    @asynccontextmanager
    async def open(self) -> AsyncIterator[StateService]:
        self.clock = HeldClock()
        yield MemoryState(self.clock)

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)


def small(clock: HeldClock | None = None) -> MemoryState:
    limits = MemoryLimits(counters=3, leases=3, records=3, table_bytes=100, value_bytes=60, queue=3)
    return MemoryState(clock or HeldClock(), caches=["cache"], limits=limits)


async def keys(state: MemoryState, table: str) -> list[str]:
    return [key async for key, _ in state.scan(table)]


async def test_a_full_table_refuses_new_records_and_loses_none() -> None:
    state = small()
    for key in "abc":
        await state.put("t", key, b"1")
    with pytest.raises(StateFull, match="'t' is full: 3 records"):
        await state.put("t", "d", b"1")
    with pytest.raises(StateFull):
        await state.put_if("t", "d", b"1", expected=None)
    await state.put("t", "a", b"2")
    assert await keys(state, "t") == ["a", "b", "c"]
    await state.put("u", "d", b"1")
    await state.delete("t", "b")
    await state.put("t", "d", b"1")
    assert await keys(state, "t") == ["a", "c", "d"]


async def test_bytes_of_a_table_are_bounded_too() -> None:
    state = small()
    await state.put("t", "a", b"x" * 59)
    with pytest.raises(StateFull):
        await state.put("t", "b", b"x" * 40)
    await state.put("t", "b", b"x" * 39)
    await state.put("t", "a", b"x" * 58)
    with pytest.raises(StateFull, match="60"):
        await state.put("t", "a", b"x" * 60)
    with pytest.raises(StateFull, match="60"):
        await state.publish("c", b"x" * 61)


async def test_a_cache_lets_go_of_what_was_written_longest_ago_and_counts_it() -> None:
    state = small()
    for key in "abc":
        await state.put("cache", key, b"1")
    await state.put("cache", "a", b"2")
    await state.put("cache", "d", b"1")
    assert await keys(state, "cache") == ["a", "c", "d"]
    assert state.evicted == 1
    await state.put("cache", "large", b"x" * 55)
    await state.put("cache", "other", b"x" * 55)
    assert await keys(state, "cache") == ["other"]


async def test_what_has_ended_makes_room() -> None:
    clock = HeldClock()
    state = small(clock)
    for n in range(3):
        await state.increment(f"c{n}", 1, ttl_seconds=1)
        await state.put("t", f"r{n}", b"1", ttl_seconds=1)
        await state.acquire(f"l{n}", "one", 1)
    clock.advance(2)
    for n in range(3, 6):
        assert await state.increment(f"c{n}", 1) == 1
        await state.put("t", f"r{n}", b"1")
        assert await state.acquire(f"l{n}", "one", 1) is not None


async def test_counters_and_leases_are_bounded() -> None:
    state = small()
    for n in range(3):
        await state.increment(f"c{n}", 1)
        await state.acquire(f"l{n}", "one", 1)
    with pytest.raises(StateFull, match="3 counters"):
        await state.increment("c3", 1)
    with pytest.raises(StateFull, match="3 leases"):
        await state.acquire("l3", "one", 1)
    assert await state.increment("c0", 1) == 2
    assert await state.acquire("l0", "one", 1) is not None


async def test_a_counter_that_is_back_at_zero_takes_no_room() -> None:
    state = small()
    for n in range(100):
        await state.increment(f"in-flight-{n}", 1)
        await state.increment(f"in-flight-{n}", -1)
    assert await state.increment("another", 1) == 1


async def test_a_slow_subscriber_loses_its_oldest_messages_and_they_are_counted() -> None:
    state = small()
    async with state.subscribe("c") as slow, state.subscribe("c") as quick:
        for n in range(5):
            await state.publish("c", b"%d" % n)
            assert await anext(quick) == b"%d" % n
        assert [await anext(slow) for _ in range(3)] == [b"2", b"3", b"4"]
    assert state.dropped_messages == 2

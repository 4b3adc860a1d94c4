"""The meters of one process: the contract, and the bounds that only they have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from routeiq.state.errors import StateFull
from routeiq.state.memory_meters import MemoryMeters
from routeiq_sdk.gateway import MeterService
from routeiq_sdk.values.meters import Charge, Held, Level, Posting

from .held_clock import HeldClock
from .meters_contract import MetersContract


class TestMemoryKeepsTheContract(MetersContract):
    clock: HeldClock

    @asynccontextmanager
    async def open(self) -> AsyncIterator[MeterService]:
        self.clock = HeldClock()
        yield MemoryMeters(self.clock)

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def after(self, seconds: float) -> int:
        return self.clock.now_ns() + int(seconds * 1e9)


async def test_meters_and_holds_are_bounded_and_a_refused_step_changes_nothing() -> None:
    clock = HeldClock()
    meters = MemoryMeters(clock, most_meters=3, most_holds=2)
    await meters.restore([Posting("kept", 1)])
    ends = clock.now_ns() + 1_000_000_000
    await meters.reserve("one", [Charge("a", base=1, ends=ends), Charge("b", base=1, ends=ends)])
    with pytest.raises(StateFull, match="3 meters"):
        await meters.reserve("two", [Charge("a", base=1), Charge("c", base=1)])
    with pytest.raises(StateFull, match="3 meters"):
        await meters.settle("one", [Posting("c", 1)])
    assert await meters.levels(["a", "b", "c"]) == [Level(1, 1), Level(1, 1), Level()]
    await meters.reserve("two", [Charge("a", base=1)])
    with pytest.raises(StateFull, match="2 holds"):
        await meters.reserve("three", [Charge("a", base=1)])
    clock.advance(2)
    await meters.settle("two", [])
    assert await meters.reserve("three", [Charge("c", 5, base=1), Charge("d", base=1)]) == Held(0, (4, None))

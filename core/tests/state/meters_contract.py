"""What every meter store promises, as one pytest class that each store's tests inherit.

What a store promises alone (reconnects, bounds) is tested beside it; what limits mean is the business of plugins.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from routeiq_sdk import MetersLost
from routeiq_sdk.gateway import MeterService
from routeiq_sdk.values.meters import Charge, Held, Level, Overdue, Pace, Posting, Refused

from .meters_machine import MetersMachine

LARGEST = 2**63 - 1


class MetersContract:
    """Inherit, and say how a store that lost its meters is opened and how time passes for it.

    A store with connections also overrides `peer`, so that promises between processes are tested over two of them.
    """

    ttl = 0.25
    machine_examples = 40
    machine_steps = 40

    def open(self) -> AbstractAsyncContextManager[MeterService]:
        """A store that holds nothing and was never restored."""
        raise NotImplementedError("each store's tests say how it is opened")

    async def elapse(self, seconds: float) -> None:
        """Let this much time pass for the store."""
        raise NotImplementedError("each store's tests say how its time passes")

    def after(self, seconds: float) -> int:
        """The Unix time in nanoseconds, by the store's clock, this many seconds from now."""
        raise NotImplementedError("each store's tests say what time it is")

    @pytest.fixture
    async def meters(self) -> AsyncIterator[MeterService]:
        async with self.open() as meters:
            await meters.restore([])
            yield meters

    @pytest.fixture
    async def peer(self, meters: MeterService) -> MeterService:
        """The same store, seen by another process."""
        return meters

    # Reserve: what is granted.

    async def test_a_hold_takes_base_and_units_from_every_meter(self, meters: MeterService, peer: MeterService) -> None:
        got = await meters.reserve("h", [Charge("a", 100, base=10, rate=2), Charge("b", base=1)], most=20, least=1)
        assert got == Held(20, (50, None))
        assert await peer.levels(["a", "missing", "b"]) == [Level(50, 50), Level(), Level(1, 1)]
        assert await meters.levels([]) == []

    async def test_a_limit_grants_the_most_units_that_fit(self, meters: MeterService) -> None:
        charges = [Charge("a", 100, base=10, rate=2), Charge("b", 35, base=5, rate=1), Charge("c", base=0, rate=9)]
        assert await meters.reserve("h", charges, most=1000, least=1) == Held(30, (30, 0, None))
        assert await meters.levels(["a", "b", "c"]) == [Level(70, 70), Level(35, 35), Level(270, 270)]

    async def test_a_limit_may_be_reached_and_not_passed(self, meters: MeterService) -> None:
        assert await meters.reserve("one", [Charge("a", 10, base=10)]) == Held(0, (0,))
        assert await meters.reserve("two", [Charge("a", 10, base=1)]) == Refused("a", 10)

    async def test_a_refusal_takes_nothing_from_any_meter_and_no_pace(self, meters: MeterService) -> None:
        await meters.reserve("first", [Charge("b", base=8)])
        paces = [Pace("p", 60_000_000_000, burst=1)]
        charges = [Charge("a", 100, base=1), Charge("b", 10, base=1, rate=1), Charge("c", base=1)]
        assert await meters.reserve("h", charges, paces, most=50, least=2) == Refused("b", 8)
        assert await meters.levels(["a", "b", "c"]) == [Level(), Level(8, 8), Level()]
        assert await meters.renew(["h"], 60) == ["h"]
        assert await meters.reserve("h", charges, paces, most=50, least=1) == Held(1, (99, 0, None))

    async def test_a_meter_beyond_its_limit_refuses_every_further_unit(self, meters: MeterService) -> None:
        await meters.adjust([Posting("a", 15)])
        assert await meters.reserve("h", [Charge("a", 10, rate=1)], most=5) == Refused("a", 15)
        assert await meters.reserve("h", [Charge("a", 10)]) == Held(0, (-5,))

    async def test_the_first_meter_that_refuses_is_named(self, meters: MeterService) -> None:
        await meters.adjust([Posting("a", 5), Posting("b", 5)])
        charges = [Charge("free", 5, base=1), Charge("b", 5, base=1), Charge("a", 5, base=1)]
        assert await meters.reserve("h", charges) == Refused("b", 5)

    async def test_an_empty_hold_is_a_hold(self, meters: MeterService) -> None:
        assert await meters.reserve("h", []) == Held(0)
        assert await meters.renew(["h"], 60) == []
        assert await meters.settle("h", []) is True

    async def test_a_meter_comes_once_in_a_hold(self, meters: MeterService) -> None:
        with pytest.raises(ValueError, match="twice"):
            await meters.reserve("h", [Charge("a", 5, base=3), Charge("a", 9, base=3)])
        assert await meters.levels(["a"]) == [Level()]

    async def test_shadow_charges_tell_and_refuse_nothing(self, meters: MeterService) -> None:
        charges = [Charge("shadow", 5, base=3, rate=1, enforced=False), Charge("real", 50, rate=1)]
        assert await meters.reserve("one", charges, most=2) == Held(2, (0, 48))
        assert await meters.reserve("two", charges, most=2) == Held(2, (-5, 46), over=("shadow",))
        assert await meters.levels(["shadow", "real"]) == [Level(10, 10), Level(4, 4)]

    async def test_many_reservers_never_pass_a_limit(self, meters: MeterService, peer: MeterService) -> None:
        def ask(n: int) -> asyncio.Future[Held | Refused]:
            charges = [Charge("team", 50, base=2, rate=1), Charge(f"key-{n % 3}", 40, base=2, rate=1)]
            charges = charges[:: (-1) ** n]
            return asyncio.ensure_future((meters, peer)[n % 2].reserve(f"h{n}", charges, most=3, least=1))

        got = await asyncio.gather(*(ask(n) for n in range(30)))
        taken = sum(2 + held.units for held in got if isinstance(held, Held))
        (level,) = await meters.levels(["team"])
        assert level == Level(taken, taken)
        assert 48 <= taken <= 50
        keys = await peer.levels(["key-0", "key-1", "key-2"])
        assert sum(key.taken for key in keys) == taken
        assert all(key.taken <= 40 for key in keys)

    async def test_many_reserve_and_settle_at_once_and_nothing_is_left(
        self, meters: MeterService, peer: MeterService
    ) -> None:
        async def call(n: int) -> int:
            mine, other = (meters, peer) if n % 2 else (peer, meters)
            held = await mine.reserve(f"h{n}", [Charge("a", 1000, base=5, rate=1), Charge("b", base=n)], most=10)
            assert isinstance(held, Held)
            assert await other.settle(f"h{n}", [Posting("a", n), Posting("b", 1)]) is True
            return n

        used = await asyncio.gather(*(call(n) for n in range(24)))
        assert await meters.levels(["a", "b"]) == [Level(sum(used)), Level(24)]

    # Parts: a hold grows, and asking again takes nothing.

    async def test_a_part_that_is_asked_for_again_gets_its_first_answer(
        self, meters: MeterService, peer: MeterService
    ) -> None:
        charges = [Charge("a", 10, base=4, rate=1), Charge("s", 1, base=2, enforced=False)]
        first = await meters.reserve("h", charges, most=9)
        assert first == Held(6, (0, -1), ("s",))
        assert await peer.reserve("h", charges, most=9) == Held(6, (0, -1), ("s",), again=True)
        assert await meters.levels(["a", "s"]) == [Level(10, 10), Level(2, 2)]

    async def test_one_of_many_askers_for_a_part_takes(self, meters: MeterService, peer: MeterService) -> None:
        asked = [(meters, peer)[n % 2].reserve("h", [Charge("a", 100, base=7)]) for n in range(12)]
        got = await asyncio.gather(*asked)
        assert sorted(held.again for held in got if isinstance(held, Held)) == [False, *[True] * 11]
        assert await meters.levels(["a"]) == [Level(7, 7)]

    async def test_a_hold_grows_by_parts_and_ends_as_one(self, meters: MeterService) -> None:
        await meters.reserve("h", [Charge("a", 100, base=10)])
        assert await meters.reserve("h", [Charge("a", 100, rate=3)], part=1, most=10, least=1) == Held(10, (60,))
        assert await meters.reserve("h", [Charge("b", 9, base=5)], part=7) == Held(0, (4,))
        assert await meters.reserve("h", [Charge("a", 100, base=61)], part=2) == Refused("a", 40)
        assert await meters.levels(["a", "b"]) == [Level(40, 40), Level(5, 5)]
        assert await meters.settle("h", [Posting("a", 11)]) is True
        assert await meters.levels(["a", "b"]) == [Level(11), Level()]

    async def test_a_part_that_was_refused_may_be_granted_later(self, meters: MeterService) -> None:
        await meters.reserve("other", [Charge("a", 10, base=8)])
        await meters.reserve("h", [Charge("a", 10, base=2)])
        assert await meters.reserve("h", [Charge("a", 10, base=5)], part=1) == Refused("a", 10)
        await meters.settle("other", [])
        assert await meters.reserve("h", [Charge("a", 10, base=5)], part=1) == Held(0, (3,))

    # Settle.

    async def test_settling_gives_back_what_was_held_and_takes_what_was_used(
        self, meters: MeterService, peer: MeterService
    ) -> None:
        await meters.reserve("h", [Charge("a", 100, base=60), Charge("b", 9, base=9)])
        assert await peer.settle("h", [Posting("a", 20), Posting("c", 3)]) is True
        assert await meters.levels(["a", "b", "c"]) == [Level(20), Level(), Level(3)]

    async def test_a_hold_is_settled_once(self, meters: MeterService, peer: MeterService) -> None:
        await meters.reserve("h", [Charge("a", 100, base=60)])
        settled = [(meters, peer)[n % 2].settle("h", [Posting("a", 5)]) for n in range(10)]
        assert (await asyncio.gather(*settled)).count(True) == 1
        assert await meters.levels(["a"]) == [Level(5)]

    async def test_an_unknown_hold_is_ended_and_what_was_used_is_taken(self, meters: MeterService) -> None:
        assert await meters.settle("h", [Posting("a", 5)]) is True
        assert await meters.settle("h", [Posting("a", 5)]) is False
        assert await meters.levels(["a"]) == [Level(5)]

    async def test_an_ended_hold_is_refused_and_takes_nothing(self, meters: MeterService) -> None:
        await meters.reserve("h", [Charge("a", 100, base=60)])
        await meters.settle("h", [])
        for part in (0, 1):
            got = await meters.reserve("h", [Charge("a", 100, base=60)], part=part, forced=bool(part))
            assert isinstance(got, Refused)
            assert got.ended
        assert await meters.levels(["a"]) == [Level()]

    async def test_used_may_pass_a_limit_and_the_next_hold_feels_it(self, meters: MeterService) -> None:
        await meters.reserve("h", [Charge("a", 10, base=10)])
        await meters.settle("h", [Posting("a", 14)])
        assert await meters.reserve("next", [Charge("a", 10, base=1)]) == Refused("a", 14)

    async def test_several_postings_on_one_meter_add_up(self, meters: MeterService) -> None:
        await meters.reserve("h", [Charge("a", base=10)])
        await meters.settle("h", [Posting("a", 2), Posting("b", 1), Posting("a", 3)])
        await meters.adjust([Posting("a", 1), Posting("a", 1)])
        assert await meters.levels(["a", "b"]) == [Level(7), Level(1)]

    # Leases.

    async def test_a_hold_whose_lease_ran_out_is_overdue_until_it_is_settled(
        self, meters: MeterService, peer: MeterService
    ) -> None:
        await meters.reserve("h", [Charge("a", base=3), Charge("b", base=4)], seconds=self.ttl, note=b"\x00note\xff")
        await meters.reserve("h", [Charge("a", base=2)], part=1, seconds=self.ttl, note=b"other")
        assert await meters.overdue() == []
        await self.elapse(self.ttl * 1.5)
        assert await peer.overdue() == [Overdue("h", {"a": 5, "b": 4}, b"\x00note\xff")]
        assert await meters.levels(["a"]) == [Level(5, 5)]
        assert await peer.settle("h", [Posting("a", 1)]) is True
        assert await meters.overdue() == []
        assert await meters.levels(["a", "b"]) == [Level(1), Level()]

    async def test_overdue_holds_come_oldest_first_and_no_more_than_asked(self, meters: MeterService) -> None:
        for n, name in enumerate(["late", "earlier", "earliest"]):
            await meters.reserve(name, [Charge("a", base=1)], seconds=self.ttl * (1 - n / 4))
        await self.elapse(self.ttl * 1.5)
        assert [late.hold for late in await meters.overdue()] == ["earliest", "earlier", "late"]
        assert [late.hold for late in await meters.overdue(2)] == ["earliest", "earlier"]

    async def test_renewing_moves_the_end_and_tells_unknown_holds(self, meters: MeterService) -> None:
        await meters.reserve("h", [Charge("a", base=1)], seconds=self.ttl)
        await meters.reserve("ended", [])
        await meters.settle("ended", [])
        assert await meters.renew(["never", "h", "ended"], self.ttl * 4) == ["never", "ended"]
        await self.elapse(self.ttl * 1.5)
        assert await meters.overdue() == []
        assert await meters.renew([], 60) == []

    async def test_a_further_part_prolongs_the_lease(self, meters: MeterService) -> None:
        await meters.reserve("h", [Charge("a", base=1)], seconds=self.ttl)
        await meters.reserve("h", [Charge("a", base=1)], part=1, seconds=self.ttl * 8)
        await self.elapse(self.ttl * 1.5)
        assert await meters.overdue() == []

    async def test_an_overdue_hold_can_be_renewed(self, meters: MeterService) -> None:
        await meters.reserve("h", [Charge("a", base=1)], seconds=self.ttl)
        await self.elapse(self.ttl * 1.5)
        assert await meters.renew(["h"], 60) == []
        assert await meters.overdue() == []

    # Windows.

    async def test_a_meter_is_forgotten_after_its_window(self, meters: MeterService) -> None:
        ends = self.after(self.ttl)
        await meters.reserve("h", [Charge("a", 10, base=9, ends=ends)])
        await meters.adjust([Posting("b", 4, ends=ends), Posting("kept", 4)])
        assert await meters.levels(["a", "b"]) == [Level(9, 9), Level(4)]
        await self.elapse(self.ttl * 1.5)
        assert await meters.levels(["a", "b", "kept"]) == [Level(), Level(), Level(4)]
        assert await meters.settle("h", [Posting("a", 7, ends=ends), Posting("kept", 1)]) is True
        assert await meters.levels(["a", "kept"]) == [Level(), Level(5)]

    async def test_a_sliding_window_counts_a_part_of_the_one_before(self, meters: MeterService) -> None:
        await meters.adjust([Posting("before", 101)])
        charge = Charge("now", 60, base=1, rate=1, previous="before", previous_weight=250_000)
        assert await meters.reserve("h", [charge], most=100) == Held(34, (0,))
        assert await meters.levels(["before", "now"]) == [Level(101), Level(35, 35)]
        assert await meters.reserve("next", [charge]) == Refused("now", 60)

    async def test_a_window_before_that_is_missing_or_negative_counts_nothing(self, meters: MeterService) -> None:
        await meters.adjust([Posting("negative", -50)])
        for name in ("negative", "missing"):
            charge = Charge(f"after-{name}", 10, base=10, previous=name, previous_weight=1_000_000)
            assert await meters.reserve(name, [charge]) == Held(0, (0,))

    # Paces.

    async def test_a_pace_allows_its_burst_and_then_says_when(self, meters: MeterService, peer: MeterService) -> None:
        pace = Pace("p", 60_000_000_000, burst=3)
        got = [await (meters, peer)[n % 2].reserve(f"h{n}", [Charge("a", base=1)], [pace]) for n in range(4)]
        assert got[:3] == [Held(0, (None,))] * 3
        last = got[3]
        assert isinstance(last, Refused)
        assert last.meter == "p"
        assert last.retry_after is not None
        assert 50 < last.retry_after <= 60
        assert await meters.levels(["a"]) == [Level(3, 3)]

    async def test_a_pace_never_lets_two_bursts_through_at_an_edge(self, meters: MeterService) -> None:
        interval = self.ttl * 4
        pace = Pace("p", int(interval * 1e9), burst=3)
        granted = [isinstance(await meters.reserve(f"a{n}", [], [pace]), Held) for n in range(4)]
        assert granted == [True, True, True, False]
        await self.elapse(interval * 1.2)
        granted = [isinstance(await meters.reserve(f"b{n}", [], [pace]), Held) for n in range(2)]
        assert granted == [True, False]

    async def test_a_settled_hold_gives_no_pace_back(self, meters: MeterService) -> None:
        pace = Pace("p", 60_000_000_000, burst=2)
        for name in ("one", "two"):
            assert isinstance(await meters.reserve(name, [], [pace]), Held)
            await meters.settle(name, [])
        assert isinstance(await meters.reserve("three", [], [pace]), Refused)

    async def test_a_pace_may_take_several_at_once_but_never_more_than_its_burst(self, meters: MeterService) -> None:
        with pytest.raises(ValueError, match="burst"):
            await meters.reserve("h", [Charge("a", base=1)], [Pace("p", 60_000_000_000, burst=5, amount=6)])
        assert await meters.levels(["a"]) == [Level()]
        assert isinstance(await meters.reserve("h", [], [Pace("p", 60_000_000_000, burst=5, amount=4)]), Held)
        two = await meters.reserve("i", [], [Pace("p", 60_000_000_000, burst=5, amount=2)])
        assert isinstance(two, Refused)
        assert isinstance(await meters.reserve("j", [], [Pace("p", 60_000_000_000, burst=5, amount=1)]), Held)

    async def test_a_pace_in_shadow_mode_tells_and_refuses_nothing(self, meters: MeterService) -> None:
        pace = Pace("p", 60_000_000_000, burst=1, enforced=False)
        assert await meters.reserve("one", [], [pace]) == Held(0)
        assert await meters.reserve("two", [], [pace]) == Held(0, (), ("p",))

    async def test_a_pace_in_shadow_mode_tells_of_those_alone_that_it_would_refuse(self, meters: MeterService) -> None:
        interval = self.ttl * 4
        pace = Pace("p", int(interval * 1e9), burst=1, enforced=False)
        over = [await meters.reserve(f"a{n}", [], [pace]) for n in range(4)]
        assert over == [Held(0), *[Held(0, (), ("p",))] * 3]
        await self.elapse(interval * 1.2)
        assert await meters.reserve("b", [], [pace]) == Held(0)

    async def test_many_at_once_never_pass_a_burst(self, meters: MeterService, peer: MeterService) -> None:
        pace = Pace("p", 60_000_000_000, burst=5)
        asked = [(meters, peer)[n % 2].reserve(f"h{n}", [], [pace]) for n in range(16)]
        got = await asyncio.gather(*asked)
        assert sum(isinstance(held, Held) for held in got) == 5

    # Corrections, and meters that were lost.

    async def test_an_adjustment_adds_and_may_be_negative(self, meters: MeterService, peer: MeterService) -> None:
        await meters.reserve("h", [Charge("a", base=10)])
        await peer.adjust([Posting("a", -4), Posting("b", -1)])
        assert await meters.levels(["a", "b"]) == [Level(6, 10), Level(-1)]
        await meters.adjust([])

    async def test_many_adjustments_at_once_all_count(self, meters: MeterService, peer: MeterService) -> None:
        steps = [(meters, peer)[n % 2].adjust([Posting("b", 1), Posting("a", n)][:: (-1) ** n]) for n in range(20)]
        await asyncio.gather(*steps)
        assert await meters.levels(["a", "b"]) == [Level(190), Level(20)]

    async def test_a_store_that_lost_its_meters_refuses_until_it_is_restored(self) -> None:
        async with self.open() as meters:
            assert await meters.lost() is True
            with pytest.raises(MetersLost):
                await meters.reserve("h", [Charge("a", 10, base=1)])
            assert await meters.levels(["a"]) == [Level()]
            assert await meters.restore([Posting("a", 8), Posting("b", 2)]) is True
            assert await meters.lost() is False
            assert await meters.levels(["a", "b"]) == [Level(8), Level(2)]
            assert await meters.reserve("h", [Charge("a", 10, base=1)]) == Held(0, (1,))

    async def test_restoring_twice_changes_nothing(self, meters: MeterService) -> None:
        await meters.adjust([Posting("a", 3)])
        assert await meters.restore([Posting("a", 8)]) is False
        assert await meters.levels(["a"]) == [Level(3)]

    async def test_a_forced_hold_comes_back_into_a_store_that_lost_it(self) -> None:
        async with self.open() as meters:
            charge = Charge("a", 10, base=6, rate=1)
            assert await meters.reserve("h", [charge], most=8, forced=True) == Held(8, (-4,))
            assert await meters.restore([Posting("a", 100), Posting("b", 1)]) is True
            assert await meters.levels(["a", "b"]) == [Level(114, 14), Level(1)]
            assert await meters.settle("h", [Posting("a", 9)]) is True
            assert await meters.levels(["a"]) == [Level(109)]

    async def test_what_was_posted_while_the_meters_were_lost_gives_way_to_the_restored(self) -> None:
        async with self.open() as meters:
            assert await meters.settle("h", [Posting("a", 5)]) is True
            await meters.adjust([Posting("b", 5)])
            await meters.restore([Posting("a", 7)])
            assert await meters.levels(["a", "b"]) == [Level(7), Level()]
            assert await meters.settle("h", [Posting("a", 5)]) is False

    # Large amounts.

    async def test_amounts_are_exact_over_64_bits(self, meters: MeterService) -> None:
        base = 2**62 + 1
        assert await meters.reserve("one", [Charge("a", LARGEST, base=base)]) == Held(0, (LARGEST - base,))
        left = LARGEST - base
        assert await meters.reserve("two", [Charge("a", LARGEST, base=left + 1)]) == Refused("a", base)
        assert await meters.reserve("two", [Charge("a", LARGEST, base=left - 1)]) == Held(0, (1,))
        assert await meters.levels(["a"]) == [Level(LARGEST - 1, LARGEST - 1)]
        await meters.settle("one", [Posting("a", base - 2)])
        assert await meters.levels(["a"]) == [Level(LARGEST - 3, left - 1)]

    async def test_units_that_would_leave_64_bits_are_not_granted(self, meters: MeterService) -> None:
        charge = Charge("a", LARGEST, base=7, rate=2**62)
        assert await meters.reserve("h", [charge], most=2**62) == Held(1, (LARGEST - 2**62 - 7,))

    async def test_a_large_window_before_is_weighed_exactly(self, meters: MeterService) -> None:
        before = 2**62 + 3
        await meters.adjust([Posting("before", before)])
        counted = before * 333_333 // 1_000_000
        charge = Charge("now", counted + 5, base=5, previous="before", previous_weight=333_333)
        assert await meters.reserve("h", [charge]) == Held(0, (0,))
        assert await meters.reserve("i", [charge]) == Refused("now", counted + 5)

    async def test_a_meter_that_would_leave_64_bits_is_not_changed(self, meters: MeterService) -> None:
        await meters.adjust([Posting("a", LARGEST)])
        with pytest.raises(OverflowError):
            await meters.adjust([Posting("a", 1)])
        with pytest.raises(OverflowError):
            await meters.reserve("h", [Charge("a", base=1)])
        assert await meters.levels(["a"]) == [Level(LARGEST)]

    # Any history.

    def test_any_history_agrees_with_the_model(self) -> None:
        contract = self

        class Machine(MetersMachine):
            def __init__(self) -> None:
                super().__init__(contract.open, contract.elapse, contract.ttl)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=self.machine_examples,
                stateful_step_count=self.machine_steps,
                deadline=timedelta(seconds=10),
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )

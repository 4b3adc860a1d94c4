"""Random histories of holds, compared step by step with a model in plain Python.

The model is slow and obvious on purpose: it keeps every hold and adds meters up anew. It shares no code with any store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from routeiq_sdk.gateway import MeterService
from routeiq_sdk.values.meters import Charge, Held, Level, Posting, Refused

T = TypeVar("T")

METERS = ("team", "key", "model")
HOLDS = st.sampled_from(["h1", "h2", "h3", "h4"])
PARTS = st.integers(0, 2)


@st.composite
def charges(draw: st.DrawFn) -> list[Charge]:
    names = draw(st.lists(st.sampled_from(METERS), unique=True, max_size=3))
    return [
        Charge(
            name,
            limit=draw(st.none() | st.integers(0, 40)),
            base=draw(st.integers(0, 6)),
            rate=draw(st.integers(0, 3)),
            previous=draw(st.none() | st.sampled_from(METERS)),
            previous_weight=draw(st.sampled_from([0, 333_333, 1_000_000])),
            enforced=draw(st.booleans() | st.just(True)),
        )
        for name in names
    ]


POSTINGS = st.lists(st.builds(Posting, st.sampled_from(METERS), st.integers(-5, 9)), max_size=3)


@dataclass
class Part:
    amounts: list[tuple[str, int]]
    answer: Held


@dataclass
class Hold:
    ends: float
    parts: dict[int, Part] = field(default_factory=dict)


class MetersMachine(RuleBasedStateMachine):
    """Time passes in steps of 0.4 leases, so ends fall between two moments and never on one."""

    def __init__(
        self,
        open_meters: Callable[[], AbstractAsyncContextManager[MeterService]],
        elapse: Callable[[float], Awaitable[None]],
        ttl: float,
    ) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.elapse_store = elapse
        self.ttl = ttl
        self.meters = self.do(self.stack.enter_async_context(open_meters()))
        assert self.do(self.meters.restore([])) is True
        self.now = 0.0
        self.open: dict[str, Hold] = {}
        self.ended: set[str] = set()
        self.posted: list[tuple[str, int]] = []

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.runner.close()

    def held(self, meter: str) -> int:
        parts = (part for hold in self.open.values() for part in hold.parts.values())
        return sum(amount for part in parts for name, amount in part.amounts if name == meter)

    def level(self, meter: str) -> Level:
        held = self.held(meter)
        return Level(held + sum(amount for name, amount in self.posted if name == meter), held)

    def counted(self, charge: Charge) -> int:
        before = max(0, self.level(charge.previous).taken) if charge.previous is not None else 0
        return self.level(charge.meter).taken + before * charge.previous_weight // 1_000_000

    def fits(self, charge: Charge, units: int) -> bool:
        if charge.limit is None or (charge.base == 0 and charge.rate == 0):
            return True
        counted = self.counted(charge)
        return counted + charge.base <= charge.limit and counted + charge.base + units * charge.rate <= charge.limit

    def expect(self, asked: list[Charge], most: int, least: int, forced: bool) -> Held | Refused:
        if forced:
            return Held(most)
        for charge in asked:
            if charge.enforced and not self.fits(charge, least):
                return Refused(charge.meter, self.counted(charge))
        enforced = [charge for charge in asked if charge.enforced]
        units = max(n for n in range(least, most + 1) if all(self.fits(charge, n) for charge in enforced))
        over = tuple(charge.meter for charge in asked if not charge.enforced and not self.fits(charge, most))
        return Held(units, over=over)

    @rule(steps=st.integers(1, 2))
    def elapse(self, steps: int) -> None:
        self.now += 0.4 * steps

        async def pass_time() -> None:
            await self.elapse_store(0.4 * steps * self.ttl)

        self.do(pass_time())

    @rule(
        hold=HOLDS,
        part=PARTS,
        asked=charges(),
        least=st.integers(0, 3),
        more=st.integers(0, 9),
        forced=st.sampled_from([False, False, False, True]),
    )
    def reserve(self, hold: str, part: int, asked: list[Charge], least: int, more: int, forced: bool) -> None:
        most = least + more
        got = self.do(
            self.meters.reserve(hold, asked, part=part, most=most, least=least, seconds=self.ttl, forced=forced)
        )
        if hold in self.ended:
            assert isinstance(got, Refused)
            assert got.ended
            return
        known = self.open.get(hold)
        if known is not None and part in known.parts:
            old = known.parts[part].answer
            assert got == Held(old.units, old.left, old.over, again=True)
            return
        expected = self.expect(asked, most, least, forced)
        if isinstance(expected, Refused):
            assert got == expected
            return
        assert isinstance(got, Held)
        assert (got.units, got.over, got.again) == (expected.units, expected.over, False)
        known = self.open.setdefault(hold, Hold(0.0))
        known.ends = self.now + 1
        known.parts[part] = Part([(c.meter, c.base + got.units * c.rate) for c in asked], got)
        assert got.left == tuple(None if c.limit is None else c.limit - self.counted(c) for c in asked)

    @rule(hold=HOLDS, used=POSTINGS)
    def settle(self, hold: str, used: list[Posting]) -> None:
        ends = hold not in self.ended
        assert self.do(self.meters.settle(hold, used)) is ends
        if ends:
            self.open.pop(hold, None)
            self.ended.add(hold)
            self.posted += [(posting.meter, posting.amount) for posting in used]

    @rule(holds=st.lists(HOLDS, unique=True))
    def renew(self, holds: list[str]) -> None:
        assert self.do(self.meters.renew(holds, self.ttl)) == [name for name in holds if name not in self.open]
        for name in holds:
            if name in self.open:
                self.open[name].ends = self.now + 1

    @rule(postings=POSTINGS)
    def adjust(self, postings: list[Posting]) -> None:
        self.do(self.meters.adjust(postings))
        self.posted += [(posting.meter, posting.amount) for posting in postings]

    @rule(postings=POSTINGS)
    def restore(self, postings: list[Posting]) -> None:
        assert self.do(self.meters.restore(postings)) is False

    @invariant()
    def levels_agree(self) -> None:
        assert self.do(self.meters.levels(METERS)) == [self.level(meter) for meter in METERS]

    @invariant()
    def overdue_agrees(self) -> None:
        found = {late.hold: dict(late.amounts) for late in self.do(self.meters.overdue())}
        expected: dict[str, dict[str, int]] = {}
        for name, hold in self.open.items():
            if hold.ends < self.now:
                sums = expected[name] = {}
                for part in hold.parts.values():
                    for meter, amount in part.amounts:
                        sums[meter] = sums.get(meter, 0) + amount
        assert found == expected

"""Random histories of a spool with tiny segments, compared with a list."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from routeiq.state.spool import Spool, SpoolLimits

LIMITS = SpoolLimits(segment_bytes=200, total_bytes=1024 * 1024)


class SpoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.spool = self.runner.run(self.open())
        self.model: dict[int, bytes] = {}
        self.last = 0

    async def open(self) -> Spool:
        # What a disk does with an fsync is not this test's matter.
        return await Spool.open(self.directory, limits=LIMITS, fsync=lambda fd: None)

    def teardown(self) -> None:
        self.runner.run(self.spool.close())
        self.runner.close()
        shutil.rmtree(self.directory)

    @rule(payloads=st.lists(st.binary(max_size=160), min_size=1, max_size=6))
    def append(self, payloads: list[bytes]) -> None:
        async def together() -> list[int]:
            return list(await asyncio.gather(*(self.spool.append(payload) for payload in payloads)))

        numbers = self.runner.run(together())
        assert numbers == list(range(self.last + 1, self.last + 1 + len(payloads)))
        self.model.update(zip(numbers, payloads, strict=True))
        self.last = numbers[-1]

    @rule(back=st.integers(0, 6))
    def forget(self, back: int) -> None:
        upto = max(self.last - back, 0)
        self.runner.run(self.spool.forget(upto))
        self.model = {number: payload for number, payload in self.model.items() if number > upto}

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.spool.close())
        self.spool = self.runner.run(self.open())
        # Whole segments are deleted, so a few forgotten entries may be back; consumers forget them again.
        if self.model:
            self.forget(self.last - min(self.model) + 1)
        else:
            assert self.read(0) == []

    @rule(after=st.integers(0, 30))
    def read_part(self, after: int) -> None:
        assert self.read(after) == [pair for pair in sorted(self.model.items()) if pair[0] > after]

    @invariant()
    def everything_needed_is_there(self) -> None:
        assert self.read(0) == sorted(self.model.items())

    def read(self, after: int) -> list[tuple[int, bytes]]:
        async def collect() -> list[tuple[int, bytes]]:
            return [entry async for entry in self.spool.read(after)]

        return self.runner.run(collect())


TestSpoolHistory = SpoolMachine.TestCase
TestSpoolHistory.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

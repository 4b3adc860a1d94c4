"""Random histories of counters, records and leases, compared step by step with a model in plain Python.

The model is slow and obvious on purpose; it shares no code with any store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from routeiq_sdk.gateway import StateService

T = TypeVar("T")

# Whether a counter ends depends on its name: what happens when callers disagree is not promised.
COUNTERS = st.sampled_from(["stays-1", "stays-2", "ends-1", "ends-2"])
KEYS = st.sampled_from(["a", "ab", "b", "é"])
VALUES = st.sampled_from([b"", b"1", b"22"])
NAMES = st.sampled_from(["l", "m"])
OWNERS = st.sampled_from(["one", "two", "three"])


@dataclass
class Timed:
    value: Any
    end: float


class StateMachine(RuleBasedStateMachine):
    """Time passes in steps of 0.4 times to live, so ends fall between two moments and never on one."""

    def __init__(
        self,
        open_state: Callable[[], AbstractAsyncContextManager[StateService]],
        elapse: Callable[[float], Awaitable[None]],
        ttl: float,
    ) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.elapse_store = elapse
        self.ttl = ttl
        self.state = self.do(self.stack.enter_async_context(open_state()))
        self.now = 0.0
        self.counters: dict[str, Timed] = {}
        self.records: dict[str, Timed] = {}
        self.leases: dict[str, Timed] = {}
        self.epochs: dict[str, int] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.runner.close()

    def alive(self, table: dict[str, Timed], key: str) -> Timed | None:
        timed = table.get(key)
        return timed if timed is not None and timed.end > self.now else None

    def end(self, ends: bool) -> float:
        return self.now + 1 if ends else float("inf")

    @rule(steps=st.integers(1, 3))
    def elapse(self, steps: int) -> None:
        self.now += 0.4 * steps

        async def pass_time() -> None:
            await self.elapse_store(0.4 * steps * self.ttl)

        self.do(pass_time())

    @rule(key=COUNTERS, by=st.integers(-5, 8), limit=st.none() | st.integers(-5, 12))
    def increment(self, key: str, by: int, limit: int | None) -> None:
        ends = key.startswith("ends")
        old = self.alive(self.counters, key)
        new = (old.value if old else 0) + by
        refused = limit is not None and by > 0 and new > limit
        if not refused:
            self.counters[key] = Timed(new, old.end if old else self.end(ends))
        got = self.do(self.state.increment(key, by, limit=limit, ttl_seconds=self.ttl if ends else None))
        assert got == (None if refused else new)

    @rule(key=KEYS, value=VALUES, ends=st.booleans())
    def put(self, key: str, value: bytes, ends: bool) -> None:
        self.records[key] = Timed(value, self.end(ends))
        self.do(self.state.put("t", key, value, ttl_seconds=self.ttl if ends else None))

    @rule(key=KEYS, value=VALUES, expected=st.none() | VALUES)
    def put_if(self, key: str, value: bytes, expected: bytes | None) -> None:
        old = self.alive(self.records, key)
        agreed = expected == (old.value if old else None)
        if agreed:
            self.records[key] = Timed(value, old.end if old else self.end(False))
        assert self.do(self.state.put_if("t", key, value, expected=expected)) is agreed

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        found = self.alive(self.records, key) is not None
        self.records.pop(key, None)
        assert self.do(self.state.delete("t", key)) is found

    @rule(name=NAMES, owner=OWNERS)
    def acquire(self, name: str, owner: str) -> None:
        held = self.alive(self.leases, name)
        lease = self.do(self.state.acquire(name, owner, self.ttl))
        if held is not None and held.value != owner:
            assert lease is None
            return
        assert lease is not None
        if held is not None:
            assert lease.epoch == self.epochs[name]
        else:
            assert lease.epoch > self.epochs.get(name, -1)
        self.epochs[name] = lease.epoch
        self.leases[name] = Timed(owner, self.end(True))

    @rule(name=NAMES, owner=OWNERS)
    def renew(self, name: str, owner: str) -> None:
        held = self.alive(self.leases, name)
        mine = held is not None and held.value == owner
        if mine:
            self.leases[name] = Timed(owner, self.end(True))
        assert self.do(self.state.renew(name, owner, self.ttl)) is mine

    @rule(name=NAMES, owner=OWNERS)
    def release(self, name: str, owner: str) -> None:
        held = self.alive(self.leases, name)
        if held is not None and held.value == owner:
            del self.leases[name]
        self.do(self.state.release(name, owner))

    @invariant()
    def counters_agree(self) -> None:
        names = ["stays-1", "stays-2", "ends-1", "ends-2"]
        expected = [timed.value if (timed := self.alive(self.counters, name)) else 0 for name in names]
        assert self.do(self.state.counters(names)) == expected

    @invariant()
    def records_agree(self) -> None:
        async def read() -> list[tuple[str, bytes]]:
            return [pair async for pair in self.state.scan("t")]

        alive = [(key, timed.value) for key in sorted(self.records) if (timed := self.alive(self.records, key))]
        assert self.do(read()) == alive

"""What every state store promises, as one pytest class that each store's tests inherit.

Promises of one store alone (bounds of memory, reconnects) are tested beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from routeiq_sdk.gateway import StateService

from .state_machine import StateMachine


class StateContract:
    """Inherit, and say how a fresh store is opened and how time passes for it.

    A store with connections also overrides `peer`, so that promises between processes are tested over two of them.
    """

    ttl = 0.25
    machine_examples = 60
    machine_steps = 40

    def open(self) -> AbstractAsyncContextManager[StateService]:
        """A store that holds nothing."""
        raise NotImplementedError("each store's tests say how it is opened")

    async def elapse(self, seconds: float) -> None:
        """Let this much time pass for the store."""
        raise NotImplementedError("each store's tests say how its time passes")

    @pytest.fixture
    async def state(self) -> AsyncIterator[StateService]:
        async with self.open() as state:
            yield state

    @pytest.fixture
    async def peer(self, state: StateService) -> StateService:
        """The same store, seen by another process."""
        return state

    async def test_a_counter_starts_at_zero_and_adds_up(self, state: StateService, peer: StateService) -> None:
        assert await state.increment("a", 3) == 3
        assert await peer.increment("a", -5) == -2
        assert await state.counters(["a", "missing"]) == [-2, 0]
        assert await state.counters([]) == []

    async def test_a_limit_refuses_the_step_that_would_pass_it_and_changes_nothing(self, state: StateService) -> None:
        assert await state.increment("a", 5, limit=5) == 5
        assert await state.increment("a", 1, limit=5) is None
        assert await state.counters(["a"]) == [5]
        assert await state.increment("new", 6, limit=5) is None
        assert await state.counters(["new"]) == [0]

    async def test_a_step_down_is_never_refused(self, state: StateService) -> None:
        await state.increment("a", 10)
        assert await state.increment("a", -1, limit=5) == 9

    async def test_many_at_once_never_pass_a_limit(self, state: StateService, peer: StateService) -> None:
        steps = [(state, peer)[n % 2].increment("a", 3, limit=50) for n in range(40)]
        results = await asyncio.gather(*steps)
        granted = sorted(r for r in results if r is not None)
        assert granted == list(range(3, 49, 3))
        assert await state.counters(["a"]) == [48]

    async def test_counters_are_exact_over_64_bits(self, state: StateService) -> None:
        large = 2**63 - 2
        assert await state.increment("a", large) == large
        assert await state.increment("a", 1, limit=large) is None
        assert await state.increment("a", 1, limit=large + 1) == large + 1
        with pytest.raises(OverflowError):
            await state.increment("a", 1)
        assert await state.counters(["a"]) == [large + 1]

    async def test_a_counter_ends_when_its_first_step_said(self, state: StateService) -> None:
        await state.increment("a", 1, ttl_seconds=self.ttl)
        await self.elapse(self.ttl * 0.6)
        assert await state.increment("a", 1, ttl_seconds=self.ttl) == 2
        await self.elapse(self.ttl * 0.6)
        assert await state.counters(["a"]) == [0]
        assert await state.increment("a", 1, ttl_seconds=self.ttl) == 1

    async def test_a_record_is_read_as_written(self, state: StateService, peer: StateService) -> None:
        assert await state.get("t", "k") is None
        await state.put("t", "k", bytes(range(256)))
        assert await peer.get("t", "k") == bytes(range(256))
        assert await state.get("other", "k") is None
        await state.put("t", "k", b"")
        assert await state.get("t", "k") == b""

    async def test_delete_says_whether_there_was_a_record(self, state: StateService) -> None:
        assert await state.delete("t", "k") is False
        await state.put("t", "k", b"1")
        assert await state.delete("t", "k") is True
        assert await state.delete("t", "k") is False
        assert await state.get("t", "k") is None

    async def test_put_if_writes_only_over_what_it_expects(self, state: StateService) -> None:
        assert await state.put_if("t", "k", b"1", expected=b"0") is False
        assert await state.put_if("t", "k", b"1", expected=None) is True
        assert await state.put_if("t", "k", b"2", expected=None) is False
        assert await state.put_if("t", "k", b"2", expected=b"1") is True
        assert await state.get("t", "k") == b"2"

    async def test_one_of_many_writers_wins_a_put_if(self, state: StateService, peer: StateService) -> None:
        tries = [(state, peer)[n % 2].put_if("t", "k", str(n).encode(), expected=None) for n in range(30)]
        won = await asyncio.gather(*tries)
        assert won.count(True) == 1
        assert await state.get("t", "k") == str(won.index(True)).encode()

    async def test_a_record_ends_and_its_place_is_free_again(self, state: StateService) -> None:
        await state.put("t", "k", b"1", ttl_seconds=self.ttl)
        await self.elapse(self.ttl * 1.5)
        assert await state.get("t", "k") is None
        assert [pair async for pair in state.scan("t")] == []
        assert await state.delete("t", "k") is False
        assert await state.put_if("t", "k", b"2", expected=None) is True
        await self.elapse(self.ttl * 1.5)
        assert await state.get("t", "k") == b"2"

    async def test_put_replaces_the_end_and_put_if_keeps_it(self, state: StateService) -> None:
        await state.put("t", "kept", b"1", ttl_seconds=self.ttl)
        await state.put("t", "replaced", b"1", ttl_seconds=self.ttl)
        assert await state.put_if("t", "kept", b"2", expected=b"1") is True
        await state.put("t", "replaced", b"2")
        await self.elapse(self.ttl * 1.5)
        assert await state.get("t", "kept") is None
        assert await state.get("t", "replaced") == b"2"

    async def test_scan_gives_the_prefix_in_code_point_order(self, state: StateService) -> None:
        keys = ["a", "a%", "a_b", "aB", "ab", "aé", "a\uffff", "a\U0001f600", "b", "A"]
        for key in keys:
            await state.put("t", key, key.encode())
        await state.put("u", "a", b"")
        expected = sorted(key for key in keys if key.startswith("a"))
        assert [pair async for pair in state.scan("t", "a")] == [(key, key.encode()) for key in expected]
        assert [key async for key, _ in state.scan("t", "a_")] == ["a_b"]
        assert [key async for key, _ in state.scan("t", "a%")] == ["a%"]
        assert [key async for key, _ in state.scan("t")] == sorted(keys)
        assert [key async for key, _ in state.scan("missing")] == []

    async def test_a_scan_bears_writes_meanwhile(self, state: StateService) -> None:
        for n in range(50):
            await state.put("t", f"{n:02d}", b"old")
        seen = []
        async for key, _ in state.scan("t"):
            seen.append(key)
            await state.delete("t", f"{len(seen) * 2:02d}")
            await state.put("t", f"new-{key}", b"")
        assert len(seen) == len(set(seen))
        assert seen == sorted(seen)
        assert {f"{n:02d}" for n in range(1, 50, 2)} <= set(seen)

    async def test_a_lease_has_one_holder(self, state: StateService, peer: StateService) -> None:
        assert await state.acquire("l", "one", 60) is not None
        assert await peer.acquire("l", "two", 60) is None
        assert await peer.renew("l", "two", 60) is False
        await peer.release("l", "two")
        assert await state.renew("l", "one", 60) is True
        assert await peer.acquire("m", "two", 60) is not None

    async def test_a_holder_that_asks_again_keeps_its_epoch(self, state: StateService) -> None:
        first = await state.acquire("l", "one", 60)
        again = await state.acquire("l", "one", 60)
        assert first is not None
        assert again is not None
        assert again.epoch == first.epoch

    async def test_one_of_many_gets_the_lease(self, state: StateService, peer: StateService) -> None:
        asked = await asyncio.gather(*((state, peer)[n % 2].acquire("l", f"owner-{n}", 60) for n in range(30)))
        assert sum(lease is not None for lease in asked) == 1

    async def test_epochs_rise_with_each_holder_also_after_an_end(self, state: StateService) -> None:
        epochs = []
        for owner in ("one", "two"):
            lease = await state.acquire("l", owner, 60)
            assert lease is not None
            epochs.append(lease.epoch)
            await state.release("l", owner)
        for owner in ("three", "three"):
            lease = await state.acquire("l", owner, self.ttl)
            assert lease is not None
            epochs.append(lease.epoch)
            await self.elapse(self.ttl * 1.5)
        assert epochs == sorted(set(epochs))

    async def test_a_lease_that_ended_is_lost(self, state: StateService) -> None:
        assert await state.acquire("l", "one", self.ttl) is not None
        await self.elapse(self.ttl * 1.5)
        assert await state.renew("l", "one", 60) is False
        assert await state.acquire("l", "two", 60) is not None
        await state.release("l", "one")
        assert await state.acquire("l", "three", 60) is None

    async def test_renewing_moves_the_end(self, state: StateService) -> None:
        assert await state.acquire("l", "one", self.ttl) is not None
        await self.elapse(self.ttl * 0.6)
        assert await state.renew("l", "one", self.ttl) is True
        await self.elapse(self.ttl * 0.6)
        assert await state.acquire("l", "two", 60) is None

    @pytest.mark.parametrize("seconds", [0, -1])
    async def test_a_time_to_live_must_be_positive(self, state: StateService, seconds: float) -> None:
        with pytest.raises(ValueError, match="ttl_seconds"):
            await state.increment("a", 1, ttl_seconds=seconds)
        with pytest.raises(ValueError, match="ttl_seconds"):
            await state.put("t", "k", b"", ttl_seconds=seconds)
        with pytest.raises(ValueError, match="ttl_seconds"):
            await state.acquire("l", "one", seconds)
        assert await state.counters(["a"]) == [0]
        assert await state.get("t", "k") is None

    async def test_every_subscriber_gets_every_message_in_order(self, state: StateService, peer: StateService) -> None:
        async with state.subscribe("c") as one, peer.subscribe("c") as two, state.subscribe("d") as other:
            for n in range(20):
                await (state, peer)[n % 2].publish("c", b"%d" % n)
            await state.publish("d", b"elsewhere")
            for messages in (one, two):
                got = [await _next(messages) for _ in range(20)]
                assert sorted(got, key=int) == [b"%d" % n for n in range(20)]
                assert [m for m in got if int(m) % 2 == 0] == [b"%d" % n for n in range(0, 20, 2)]
            assert await _next(other) == b"elsewhere"

    async def test_a_message_before_the_subscription_is_not_seen(self, state: StateService) -> None:
        await state.publish("c", b"early")
        async with state.subscribe("c") as messages:
            await state.publish("c", b"now")
            assert await _next(messages) == b"now"

    async def test_a_subscription_ends_with_its_context(self, state: StateService) -> None:
        async with state.subscribe("c") as messages:
            pass
        await state.publish("c", b"late")
        with pytest.raises(StopAsyncIteration):
            await _next(messages)

    def test_any_history_agrees_with_the_model(self) -> None:
        contract = self

        class Machine(StateMachine):
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


async def _next(messages: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(5):
        return await anext(messages)

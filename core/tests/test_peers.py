"""Workers that ask one another: through any shared store, within half a second, and alone when the store is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from routeiq.state.clock import SystemClock
from routeiq.state.memory import MemoryState
from routeiq.telemetry import peers
from routeiq.telemetry.peers import Peers
from routeiq_sdk import StoreUnavailable


class Told(MemoryState):
    """A store that remembers what was published."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.published: list[tuple[str, bytes]] = []

    async def publish(self, channel: str, message: bytes) -> None:
        self.published.append((channel, message))
        await super().publish(channel, message)


@asynccontextmanager
async def listening(*workers: Peers) -> AsyncIterator[None]:
    tasks = []
    for worker in workers:
        tasks.append(asyncio.create_task(worker.listen()))
        await worker.listening.wait()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def one(state: Any, name: Any, workers: int) -> Peers:
    """A worker that answers with its name and what it was asked about."""

    async def answer(about: Any) -> Any:
        return [name, about]

    async def fail(about: Any) -> Any:
        raise ValueError("no")

    return Peers(state, workers, {"who": answer, "fail": fail})


async def test_all_others_answer_and_oneself_does_not() -> None:
    state = Told()
    gateway = [one(state, number, 3) for number in range(3)]
    async with listening(*gateway):
        assert sorted(await gateway[1].ask("who", {"x": 1})) == [[0, {"x": 1}], [2, {"x": 1}]]


async def test_once_all_are_known_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Told()
    gateway = [one(state, number, 2) for number in range(2)]
    async with listening(*gateway):
        await gateway[0].ask("who")
        monkeypatch.setattr(peers, "_PATIENCE_SECONDS", 3600.0)
        async with asyncio.timeout(10):
            assert await gateway[0].ask("who") == [[1, None]]
            assert await gateway[0].ask("fail") == [], "whoever fails says so"
            assert await gateway[0].ask("unknown") == [], "and so does whoever does not know what is meant"


async def test_other_gateways_on_the_same_store_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Told()
    here, there = one(state, "here", 1), one(state, "there", 1)
    async with listening(here, there):
        assert await here.ask("who") == [["there", None]]
        monkeypatch.setattr(peers, "_PATIENCE_SECONDS", 3600.0)
        async with asyncio.timeout(10):
            assert await here.ask("who") == [["there", None]]
            later = one(state, "later", 2)
            async with listening(later):
                assert sorted(await here.ask("who")) == [["later", None], ["there", None]], "it said that it is there"


async def test_who_is_gone_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Told()
    here, there, gone = (one(state, name, 1) for name in ("here", "there", "gone"))
    async with listening(here, there):
        async with listening(gone):
            assert len(await here.ask("who")) == 2
        assert await here.ask("who") == [["there", None]]
        monkeypatch.setattr(peers, "_PATIENCE_SECONDS", 3600.0)
        async with asyncio.timeout(10):
            assert await here.ask("who") == [["there", None]]


async def test_with_one_worker_nothing_is_published_once_it_is_known() -> None:
    state = Told()
    alone = one(state, 0, 1)
    async with listening(alone):
        assert await alone.ask("who") == []
        before = len(state.published)
        assert await alone.ask("who") == []
        assert len(state.published) == before


async def test_questions_at_once_do_not_mix() -> None:
    state = Told()
    gateway = [one(state, number, 2) for number in range(2)]
    async with listening(*gateway):
        answers = await asyncio.gather(*(gateway[0].ask("who", number) for number in range(20)))
        assert answers == [[[1, number]] for number in range(20)]


@pytest.mark.parametrize("message", [b"", b"[]", b"{}", b'{"from": 1}', b"\xff", b'{"from": "x", "id": 7}'])
async def test_a_message_that_is_not_understood_stops_nobody(message: bytes) -> None:
    state = Told()
    gateway = [one(state, number, 2) for number in range(2)]
    async with listening(*gateway):
        await state.publish("routeiq.ask", message)
        assert await gateway[0].ask("who") == [[1, None]]


class Away:
    """A store that is away until it is told to be there."""

    def __init__(self) -> None:
        self.store = MemoryState(SystemClock())
        self.away = True

    def subscribe(self, channel: str) -> Any:
        if self.away:
            raise StoreUnavailable("away")
        return self.store.subscribe(channel)

    async def publish(self, channel: str, message: bytes) -> None:
        if self.away:
            raise StoreUnavailable("away")
        await self.store.publish(channel, message)


async def test_a_store_that_is_away_leaves_a_worker_alone_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_AGAIN_SECONDS", 0.01)
    state = Away()
    gateway = [one(state, number, 2) for number in range(2)]
    tasks = [asyncio.create_task(worker.listen()) for worker in gateway]
    assert await gateway[0].ask("who") == []
    state.away = False
    await asyncio.gather(*(worker.listening.wait() for worker in gateway))
    assert await gateway[0].ask("who") == [[1, None]]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

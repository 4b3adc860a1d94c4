"""Workers that ask one another: through any shared store, within half a second, and alone when the store is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from routeiq.state.clock import SystemClock
from routeiq.state.memory import MemoryState
from routeiq.telemetry.peers import Peers
from routeiq_sdk import StoreUnavailable


@asynccontextmanager
async def workers(count: int, state: Any = None) -> AsyncIterator[list[Peers]]:
    """Workers of one gateway in one process; each answers with its number and what it was asked about."""
    shared = state or MemoryState(SystemClock())

    def one(number: int) -> Peers:
        async def answer(about: Any) -> Any:
            return [number, about]

        async def fail(about: Any) -> Any:
            raise ValueError("no")

        return Peers(shared, count, {"who": answer, "fail": fail})

    peers = [one(number) for number in range(count)]
    tasks = [asyncio.create_task(peer.listen()) for peer in peers]
    if state is None:
        await asyncio.gather(*(peer.listening.wait() for peer in peers))
    try:
        yield peers
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_all_others_answer_and_oneself_does_not() -> None:
    async with workers(3) as peers:
        assert sorted(await peers[1].ask("who", {"x": 1})) == [[0, {"x": 1}], [2, {"x": 1}]]


async def test_whoever_cannot_answer_is_left_out() -> None:
    async with workers(2) as peers:
        assert await peers[0].ask("fail") == []
        assert await peers[0].ask("unknown") == []
        assert await peers[0].ask("who") == [[1, None]], "and goes on answering"


async def test_questions_at_once_do_not_mix() -> None:
    async with workers(2) as peers:
        answers = await asyncio.gather(*(peers[0].ask("who", number) for number in range(20)))
        assert answers == [[[1, number]] for number in range(20)]


class Away:
    def subscribe(self, channel: str) -> Any:
        raise StoreUnavailable("away")

    async def publish(self, channel: str, message: bytes) -> None:
        raise StoreUnavailable("away")


async def test_a_store_that_is_away_leaves_a_worker_alone() -> None:
    async with workers(2, Away()) as peers:
        assert await peers[0].ask("who") == []

"""The queue of sinks: batches, retries, bounds, and what is counted as lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from routeiq_sdk import BatchQueue


class Taker:
    """Takes batches; the first `failures` of them fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.batches: list[list[int]] = []
        self.errors: list[Exception] = []
        self.blocked: asyncio.Event | None = None

    async def __call__(self, batch: Sequence[int]) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        if self.failures:
            self.failures -= 1
            raise ConnectionError("away")
        self.batches.append(list(batch))

    @property
    def taken(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


async def ran(queue: BatchQueue[int], until: int, taker: Taker) -> None:
    task = asyncio.create_task(queue.run())
    async with asyncio.timeout(5):
        while len(taker.taken) < until:
            await asyncio.sleep(0.005)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_full_batch_goes_at_once_and_the_rest_after_a_while() -> None:
    taker = Taker()
    queue = BatchQueue(taker, batch=3, linger_seconds=0.05)
    for number in range(7):
        queue.put(number)
    await ran(queue, 7, taker)
    assert (taker.batches, queue.lost) == ([[0, 1, 2], [3, 4, 5], [6]], 0)


async def test_a_batch_that_fails_is_tried_again() -> None:
    taker = Taker(failures=3)
    queue = BatchQueue(taker, linger_seconds=0.01, pause_seconds=0.001, failed=taker.errors.append)
    queue.put(1)
    await ran(queue, 1, taker)
    assert (taker.batches, queue.lost, len(taker.errors)) == ([[1]], 0, 3)


async def test_a_batch_that_fails_too_often_is_lost_and_counted() -> None:
    taker = Taker(failures=2)
    queue = BatchQueue(taker, batch=2, linger_seconds=0.01, pause_seconds=0.001, tries=2)
    for number in range(3):
        queue.put(number)
    await ran(queue, 1, taker)
    assert (taker.batches, queue.lost) == ([[2]], 2)


async def test_when_it_is_full_the_oldest_go_and_are_counted() -> None:
    taker = Taker()
    queue = BatchQueue(taker, most=3)
    for number in range(5):
        queue.put(number)
    assert (len(queue), queue.lost) == (3, 2)
    await queue.flush()
    assert taker.taken == [2, 3, 4]


async def test_a_flush_takes_over_what_a_cancelled_run_had_in_hand() -> None:
    taker = Taker()
    taker.blocked = asyncio.Event()
    queue = BatchQueue(taker, linger_seconds=0.0)
    queue.put(1)
    task = asyncio.create_task(queue.run())
    await asyncio.sleep(0.05)
    queue.put(2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    taker.blocked.set()
    await queue.flush()
    assert (taker.taken, queue.lost) == ([1, 2], 0)


async def test_a_batch_on_its_way_when_its_run_is_cancelled_goes_out_once() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()
    taken: list[int] = []

    async def deliver(batch: Sequence[int]) -> None:
        taken.extend(batch)
        arrived.set()
        await go_on.wait()

    queue = BatchQueue(deliver, linger_seconds=0.0)
    task = asyncio.create_task(queue.run())
    queue.put(1)
    await arrived.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    queue.put(2)
    go_on.set()
    await queue.flush()
    assert (taken, queue.lost) == ([1, 2], 0)


async def test_a_flush_that_takes_too_long_counts_what_is_left() -> None:
    taker = Taker()
    taker.blocked = asyncio.Event()
    queue = BatchQueue(taker, batch=2)
    for number in range(5):
        queue.put(number)
    await queue.flush(0.05)
    assert (len(queue), queue.lost) == (0, 5)

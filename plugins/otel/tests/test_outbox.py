"""What waits is bounded, sent again while the receiver is away, and counted when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from routeiq_otel.envelope import joined
from routeiq_otel.outbox import Outbox
from routeiq_otel.replies import Refused, Unavailable

Answer = BaseException | tuple[int, str]


class Receiver:
    """A way to a receiver that answers as it is told, and takes everything after that."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.taken: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._changed = asyncio.Condition()

    async def send(self, body: bytes) -> tuple[int, str]:
        self.asked += 1
        await self._notice()
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else (0, "")
        if isinstance(answer, BaseException):
            raise answer
        self.taken.append(body)
        await self._notice()
        return answer

    async def close(self) -> None:
        pass

    async def until(self, ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(15), self._changed:
            await self._changed.wait_for(ready)

    async def _notice(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled(), task.exception()


def box(receiver: Receiver, **options: Any) -> Outbox:
    return Outbox("traces", receiver, joined, **{"most": 100, "batch": 10, "linger_seconds": 0.001, **options})


async def test_pieces_travel_together_up_to_a_batch() -> None:
    receiver = Receiver()
    outbox = box(receiver)
    for number in range(25):
        outbox.put(b"%d," % number, 1)
    async with running(outbox):
        await receiver.until(lambda: len(receiver.taken) == 3)
    assert b"".join(receiver.taken) == b"".join(b"%d," % number for number in range(25))
    assert (len(outbox), outbox.lost) == (0, 0)


async def test_a_full_batch_does_not_wait_for_company() -> None:
    receiver = Receiver()
    outbox = box(receiver, linger_seconds=3600)
    async with running(outbox):
        outbox.put(b"x", 10)
        await receiver.until(lambda: receiver.taken == [b"x"])


@pytest.mark.parametrize("error", [Unavailable("HTTP status 503", after=0), Unavailable("refused", after=0.0)])
async def test_a_receiver_that_is_away_is_asked_again_and_nothing_is_lost(error: Unavailable) -> None:
    receiver = Receiver(error, error, error)
    outbox = box(receiver)
    outbox.put(b"x", 1)
    async with running(outbox):
        await receiver.until(lambda: receiver.taken == [b"x"])
    assert (receiver.asked, outbox.failures, outbox.lost) == (4, 3, 0)


@pytest.mark.parametrize("error", [Refused("HTTP status 400: no"), ValueError("no metadata")])
async def test_what_will_never_be_taken_is_lost_and_counted_and_the_next_is_sent(error: Exception) -> None:
    receiver = Receiver(error)
    outbox = box(receiver)
    outbox.put(b"bad", 7)
    async with running(outbox):
        await receiver.until(lambda: receiver.asked == 1)
        outbox.put(b"good", 1)
        await receiver.until(lambda: receiver.taken == [b"good"])
    assert outbox.lost == 7


async def test_items_that_the_receiver_refused_are_counted() -> None:
    receiver = Receiver((3, "too old"))
    outbox = box(receiver)
    outbox.put(b"x", 5)
    await outbox.flush(5)
    assert outbox.lost == 3


async def test_the_oldest_goes_when_there_is_no_room() -> None:
    receiver = Receiver()
    outbox = box(receiver, most=10)
    for number in range(25):
        outbox.put(b"%d," % number, 1)
    assert (len(outbox), outbox.lost) == (10, 15)
    await outbox.flush(5)
    assert b"".join(receiver.taken) == b"".join(b"%d," % number for number in range(15, 25))


async def test_what_could_not_be_sent_makes_room_for_what_is_newer() -> None:
    receiver = Receiver(Unavailable("away", after=0))
    receiver.gate.clear()
    outbox = box(receiver, most=10)
    outbox.put(b"old", 10)
    async with running(outbox):
        await receiver.until(lambda: receiver.asked == 1)
        outbox.put(b"new", 10)
        receiver.gate.set()
        await receiver.until(lambda: receiver.taken == [b"new"])
    assert outbox.lost == 10


async def test_a_newer_sum_replaces_the_one_that_waits() -> None:
    receiver = Receiver()
    outbox = box(receiver, replaces=True)
    outbox.put(b"one", 1)
    outbox.put(b"two", 1)
    await outbox.flush(5)
    assert (receiver.taken, outbox.lost) == ([b"two"], 0)


async def test_a_flush_asks_once_and_counts_what_is_left() -> None:
    receiver = Receiver(Unavailable("away"))
    outbox = box(receiver)
    outbox.put(b"x", 4)
    await outbox.flush(5)
    assert (receiver.asked, len(outbox), outbox.lost) == (1, 0, 4)


async def test_a_flush_interrupts_a_pause() -> None:
    receiver = Receiver(Unavailable("away", after=3600))
    outbox = box(receiver)
    outbox.put(b"x", 1)
    async with running(outbox):
        await receiver.until(lambda: receiver.asked == 1)
        await outbox.flush(10)
    assert (receiver.taken, outbox.lost) == ([b"x"], 0)


async def test_a_flush_does_not_wait_for_a_receiver_that_hangs() -> None:
    receiver = Receiver()
    receiver.gate.clear()
    outbox = box(receiver)
    outbox.put(b"x", 2)
    await outbox.flush(0.01)
    assert outbox.lost == 2


async def test_failures_are_logged_once_a_minute_with_the_loss() -> None:
    receiver = Receiver(*[Unavailable("HTTP status 503", after=0)] * 20)
    outbox = box(receiver)
    outbox.put(b"x", 1)
    with capture_logs() as lines:
        async with running(outbox):
            await receiver.until(lambda: receiver.taken == [b"x"])
    (line,) = lines
    assert line["event"] == "telemetry is not delivered"
    assert (line["signal"], line["reason"], line["log_level"]) == ("traces", "HTTP status 503", "warning")


async def test_what_was_lost_is_told_at_the_end() -> None:
    outbox = box(Receiver(Refused("no"), Refused("no")), batch=1)
    outbox.put(b"x", 1)
    outbox.put(b"y", 1)
    with capture_logs() as lines:
        await outbox.flush(5)
    assert [line["lost"] for line in lines] == [1, 2]

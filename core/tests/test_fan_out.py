"""Events on their way to the sinks: who has committed one does not get it again, and no loss is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from routeiq.plugins.compiled import Call
from routeiq.telemetry import fan_out
from routeiq.telemetry.fan_out import FanOut
from routeiq_sdk import Event


class Sink:
    def __init__(self, name: str, failures: int = 0, seconds: float = 0) -> None:
        self.batches: list[list[str]] = []
        self._failures = failures
        self._seconds = seconds
        self.emit = Call(name, "dist", "emit", self._take)
        self.commit = Call(name, "dist", "commit", self._never)

    async def _take(self, events: Sequence[Event]) -> None:
        if self._failures:
            self._failures -= 1
            raise OSError("away")
        self.batches.append([event.name for event in events])
        await asyncio.sleep(self._seconds)

    async def _never(self, event: Event) -> None:
        raise AssertionError("committing is not the fan-out's business")


def event(name: str) -> Event:
    return Event(name, 1, {})


async def test_what_was_committed_goes_to_those_alone_who_did_not_commit_it() -> None:
    audit, webhook = Sink("audit"), Sink("webhook")
    events = FanOut([audit.emit, webhook.emit], [audit.commit])
    events.put(event("a"))
    events.put(event("b"), committed=True)
    events.put(event("c"))
    await events.flush()
    assert audit.batches == [["a", "c"]]
    assert webhook.batches == [["a", "b", "c"]]


async def test_what_all_have_committed_is_not_queued() -> None:
    audit = Sink("audit")
    events = FanOut([audit.emit], [audit.commit])
    events.put(event("a"), committed=True)
    assert events.waiting == 0
    await events.flush()
    assert audit.batches == []


async def test_without_a_sink_nothing_is_queued() -> None:
    events = FanOut([], [])
    events.put(event("a"))
    events.put(event("b"), committed=True)
    assert events.waiting == 0


async def test_what_does_not_fit_is_counted() -> None:
    sink = Sink("audit")
    events = FanOut([sink.emit])
    for number in range(10_003):
        events.put(event(str(number)))
    assert (events.waiting, events.dropped) == (10_000, 3)
    await events.flush()
    assert [name for batch in sink.batches for name in batch] == [str(number) for number in range(3, 10_003)]


async def test_a_sink_that_fails_gets_its_batch_again_and_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fan_out, "_PAUSE_SECONDS", 0.001)
    limps, broken, sound = Sink("limps", failures=1), Sink("broken", failures=99), Sink("sound")
    events = FanOut([limps.emit, broken.emit, sound.emit])
    events.put(event("a"))
    await events.flush()
    assert limps.batches == sound.batches == [["a"]]
    assert broken.batches == []
    assert (limps.emit.stats.errors, broken.emit.stats.errors, events.failed_batches) == (1, 5, 1)


async def test_what_waits_at_the_end_is_delivered() -> None:
    sink = Sink("audit")
    events = FanOut([sink.emit])
    events.start()
    events.put(event("a"))
    await events.stop(5)
    assert sink.batches == [["a"]]


async def test_a_batch_on_its_way_at_the_end_is_delivered_once() -> None:
    sink = Sink("audit", seconds=0.05)
    events = FanOut([sink.emit])
    events.start()
    events.put(event("a"))
    async with asyncio.timeout(5):
        while not sink.batches:
            await asyncio.sleep(0)
    await events.stop(5)
    assert sink.batches == [["a"]]
    assert events.dropped == 0


async def test_what_is_not_delivered_in_time_is_counted() -> None:
    sink = Sink("audit", seconds=60)
    events = FanOut([sink.emit])
    events.start()
    events.put(event("a"))
    await events.stop(0.01)
    assert events.dropped == 1

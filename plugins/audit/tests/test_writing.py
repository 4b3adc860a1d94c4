"""Whatever an event is, the next ones are written; what cannot be written leaves a note."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from routeiq.state.spool import Spool, SpoolLimits
from routeiq_audit.entry import LOSS, Entries, Entry, unpacked
from routeiq_audit.writer import Writer
from routeiq_sdk import Record, SpoolFailed

from .samples import record
from .trails import entry


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    limits = SpoolLimits(segment_bytes=8 << 20, total_bytes=16 << 20)
    opened = await Spool.open(tmp_path / "events-0", limits=limits)
    yield opened
    await opened.close()


def of_record(record: Record) -> Iterable[Entry]:
    if record.user == "unspellable":
        raise TypeError("no")
    return Entries("none").of_record(record, guards=True, requests=True)


def writer(spool: Spool, *, drops: bool = False) -> Writer:
    return Writer(spool, of_record, lambda size, number: None, drops=drops)


async def written(spool: Spool) -> list[Entry]:
    return [each async for _, payload in spool.read() for each in unpacked(payload)]


def big(size: int) -> Entry:
    return Entry("request", "routeiq.test.v1", "2026-01-02T03:04:05.000Z", "big", "ALL", b'"' + b"x" * size + b'"')


async def test_an_event_that_is_too_large_leaves_a_note_and_the_next_is_written(spool: Spool) -> None:
    writing = writer(spool)
    for item in (entry(1), big(9 << 20), entry(2)):
        writing.later(item)
    await writing.write_all()
    first, note, last = await written(spool)
    assert (first.id, last.id) == ("e-1", "e-2")
    told = orjson.loads(note.event)
    assert (note.name, told["dropped"], told["id"], told["reason"]) == (LOSS, 1, "big", "too large")
    assert writing.dropped == 1


async def test_a_record_that_cannot_be_spelled_leaves_a_note_and_the_next_is_written(spool: Spool) -> None:
    writing = writer(spool)
    writing.later(record(user="unspellable"))
    writing.later(record(user="alice"))
    await writing.write_all()
    note, decision = await written(spool)
    assert orjson.loads(note.event)["id"] == "req-1"
    assert decision.name == "routeiq.router_decision.v2"


async def test_many_large_events_are_written_in_several_appends_and_in_order(spool: Spool) -> None:
    writing = writer(spool)
    for number in range(12):
        writing.later(replace(big(1 << 20), id=str(number)))
    await writing.write_all()
    assert [each.id for each in await written(spool)] == [str(number) for number in range(12)]


async def test_somebody_who_waits_hears_that_an_event_is_too_large(spool: Spool) -> None:
    with pytest.raises(SpoolFailed, match="too large"):
        await writer(spool).now([big(9 << 20)])


async def test_without_room_everything_waits_and_is_written_once_there_is_room(spool: Spool) -> None:
    writing = writer(spool)
    for _ in range(4):
        await spool.append(b"x" * (7 << 19))
    for number in range(3):
        writing.later(big(3 << 20) if number == 1 else entry(number))
    task = asyncio.create_task(writing.write_all())
    async with asyncio.timeout(5):
        while not writing.full:
            await asyncio.sleep(0.01)
    assert writing.waiting >= 1
    await spool.forget(4)
    async with asyncio.timeout(5):
        await task
    assert not writing.full
    assert [each.id async for number, payload in spool.read(4) for each in unpacked(payload)] == ["e-0", "big", "e-2"]


async def test_dropping_counts_what_went_and_says_so_once_there_is_room(spool: Spool) -> None:
    writing = writer(spool, drops=True)
    for _ in range(4):
        await spool.append(b"x" * (7 << 19))
    writing.later(big(3 << 20))
    await writing.write_all()
    assert writing.dropped == 1
    assert not writing.full
    await spool.forget(4)
    writing.later(entry(1))
    await writing.write_all()
    event, loss = [each async for _, payload in spool.read(4) for each in unpacked(payload)]
    assert (event.id, orjson.loads(loss.event)["dropped"]) == ("e-1", 1)

"""Sinks get every object once, in order, however often they fail; one that is away holds up no other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from routeiq_audit.outbox import Outbox
from routeiq_audit.sealed import Sealed
from routeiq_audit.shipping import Shipper
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.file import FileSink
from routeiq_sdk import Gateway

from .parts import append, opened


class Place:
    """A sink in memory that is away when told so."""

    origins = ()

    def __init__(self, name: str) -> None:
        self.name = name
        self.away = False
        self.objects: list[str] = []

    async def open(self, gateway: Gateway) -> None: ...

    async def close(self) -> None: ...

    async def ship(self, sealed: Sealed) -> None:
        if self.away:
            raise SinkUnavailable("it is away")
        self.objects.append(sealed.name)


async def sealed_outbox(folder: Path, batches: int = 3) -> Outbox:
    async with opened(folder) as bed:
        for number in range(batches):
            await append(bed, range(number * 10 + 1, number * 10 + 4))
            await bed.sealer.seal_all()
        return bed.outbox


async def test_a_sink_that_is_away_holds_up_no_other(tmp_path: Path) -> None:
    outbox = await sealed_outbox(tmp_path)
    near, far = Place("near"), Place("far")
    names = [near.name, far.name]
    shippers = [Shipper(near, outbox, names), Shipper(far, outbox, names)]
    far.away = True
    assert [await shipper.ship_all() for shipper in shippers] == [True, False]
    assert (len(near.objects), shippers[1].problem) == (3, "SinkUnavailable: it is away")
    assert len(outbox.waiting()) == 3
    far.away = False
    assert await shippers[1].ship_all()
    assert (far.objects, outbox.waiting(), shippers[1].problem) == (near.objects, [], "")


async def test_after_a_restart_nothing_is_shipped_twice_to_a_sink_that_has_it(tmp_path: Path) -> None:
    outbox = await sealed_outbox(tmp_path)
    near, far = Place("near"), Place("far")
    await Shipper(near, outbox, ["near", "far"]).ship_all()
    again = Outbox(tmp_path / "outbox-0")
    again.open()
    await Shipper(near, again, ["near", "far"]).ship_all()
    await Shipper(far, again, ["near", "far"]).ship_all()
    assert len(near.objects) == len(far.objects) == 3


async def test_two_shippers_at_once_make_no_object_twice_and_leave_no_gap(tmp_path: Path) -> None:
    outbox = await sealed_outbox(tmp_path, 8)
    other = Outbox(tmp_path / "outbox-0")
    other.open()
    sinks = [FileSink(tmp_path / "audit") for _ in range(2)]
    names = [sinks[0].name]
    await asyncio.gather(*(Shipper(s, o, names).ship_all() for s, o in zip(sinks, (outbox, other), strict=True)))
    assert outbox.waiting() == []
    objects = sorted((tmp_path / "audit").rglob("*.jsonl.zst"))
    numbers = [tuple(int(part) for part in path.name.split("-")[-3:-1]) for path in objects]
    assert len(objects) == 8
    assert all(numbers[place][1] + 1 == numbers[place + 1][0] for place in range(7))


async def test_a_file_sink_never_replaces_what_is_there(tmp_path: Path) -> None:
    outbox = await sealed_outbox(tmp_path, 1)
    sealed = outbox.load(outbox.waiting()[0])
    assert sealed is not None
    sink = FileSink(tmp_path / "audit")
    await sink.ship(sealed)
    await sink.ship(sealed)
    path = tmp_path / "audit" / sealed.name
    assert path.read_bytes() == sealed.body
    path.write_bytes(b"something else")
    with pytest.raises(SinkRefused, match="is something else"):
        await sink.ship(sealed)
    assert path.read_bytes() == b"something else"


async def test_a_head_never_goes_back(tmp_path: Path) -> None:
    outbox = await sealed_outbox(tmp_path, 2)
    first, second = (outbox.load(number) for number in outbox.waiting())
    assert first is not None
    assert second is not None
    sink = FileSink(tmp_path / "audit")
    await sink.ship(second)
    await sink.ship(first)
    assert (tmp_path / "audit" / second.head_name).read_bytes() == second.head

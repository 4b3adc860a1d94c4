"""Each event is sealed once and in order, wherever a crash falls."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
import pytest

from routeiq_audit.chain import GENESIS, Head, chained, line_hash
from routeiq_audit.making import make_sealed
from routeiq_audit.outbox import Outbox
from routeiq_audit.signing import Trusted

from .parts import SIGNER, STREAM, Disk, PowerCut, append, entry, ids, opened

CREATED = "2026-01-02T03:04:05.000Z"


def test_each_line_names_the_hash_of_the_one_before() -> None:
    chain = chained(STREAM, Head(), [entry(1), entry(2), entry(3)])
    previous = GENESIS
    for number, line in enumerate(chain.lines, start=1):
        told = orjson.loads(line)
        assert (told["seq"], told["prev"], told["stream"]) == (number, previous, STREAM)
        unhashed = {name: value for name, value in told.items() if name != "hash"}
        previous = line_hash(previous, orjson.dumps(unhashed, option=orjson.OPT_SORT_KEYS))
        assert told["hash"] == previous
        assert orjson.dumps(told, option=orjson.OPT_SORT_KEYS) == line, "lines are canonical"
    assert chain.hash == previous


def test_the_same_batch_makes_the_same_object() -> None:
    made = [make_sealed(STREAM, "ALL", chained(STREAM, Head(), [entry(1)]), CREATED, SIGNER)[0] for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].sha256 == hashlib.sha256(made[0].body).hexdigest()
    assert made[0].name == f"v1/tenant=ALL/dt=2026-01-02/hr=03/{STREAM}-{1:012d}-{1:012d}-{made[0].sha256}.jsonl.zst"


def test_manifest_and_head_are_signed() -> None:
    sealed, head = make_sealed(STREAM, "ALL", chained(STREAM, Head(), [entry(1), entry(2)]), CREATED, SIGNER)
    trusted = Trusted([sealed.key])
    for document in (orjson.loads(sealed.manifest), orjson.loads(sealed.head)):
        assert trusted.problem(document) is None
        assert trusted.problem({**document, "tenant": "other"}) == "the signature does not fit"
    assert orjson.loads(sealed.head)["manifest"] == head.manifest == hashlib.sha256(sealed.manifest).hexdigest()


def test_a_tenant_cannot_leave_its_folder() -> None:
    sealed, _ = make_sealed(STREAM, "../../etc", chained(STREAM, Head(), [entry(1, "../../etc")]), CREATED, SIGNER)
    assert "/../" not in sealed.name
    assert sealed.name.startswith("v1/tenant=..%2F..%2Fetc/")
    assert sealed.head_name == f"heads/{STREAM}...%2F..%2Fetc.json"


async def test_what_was_sealed_is_forgotten_by_the_spool_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as bed:
        await append(bed, range(1, 6))
        await bed.sealer.seal_all()
        assert ids(bed.outbox) == [f"event-{number}" for number in range(1, 6)]
    async with opened(tmp_path) as bed:
        await append(bed, range(6, 9))
        await bed.sealer.seal_all()
        assert ids(bed.outbox) == [f"event-{number}" for number in range(1, 9)]
        first, second = (bed.outbox.load(number) for number in bed.outbox.waiting())
        assert first is not None
        assert second is not None
        assert orjson.loads(second.manifest)["previous_manifest"] == hashlib.sha256(first.manifest).hexdigest()
        assert (first.last_seq, second.first_seq) == (5, 6)


async def test_tenants_have_chains_of_their_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as bed:
        await append(bed, range(1, 4), "red")
        await append(bed, range(4, 6), "blue")
        await bed.sealer.seal_all()
        made = [sealed for number in bed.outbox.waiting() if (sealed := bed.outbox.load(number)) is not None]
        assert [(sealed.tenant, sealed.first_seq, sealed.last_seq) for sealed in made] == [
            ("red", 1, 3),
            ("blue", 1, 2),
        ]


async def test_an_object_holds_no_more_than_its_bound(tmp_path: Path) -> None:
    async with opened(tmp_path) as bed:
        await append(bed, range(1, 101))
        await bed.sealer.seal_all()
        assert len(bed.outbox.waiting()) > 1
        assert ids(bed.outbox) == [f"event-{number}" for number in range(1, 101)]


async def fsyncs_of_a_seal(folder: Path) -> int:
    disk = Disk()
    async with opened(folder, disk) as bed:
        before = disk.calls
        await append(bed, range(1, 6))
        await bed.sealer.seal_all()
        return disk.calls - before


async def test_a_crash_at_any_fsync_neither_loses_nor_doubles(tmp_path: Path) -> None:
    steps = await fsyncs_of_a_seal(tmp_path / "counted")
    assert steps > 8
    for cut in range(1, steps + 1):
        folder = tmp_path / str(cut)
        async with opened(folder) as bed:
            await append(bed, range(1, 6))
        disk = Disk()
        async with opened(folder, disk) as bed:
            disk.cut = disk.calls + cut
            with pytest.raises(PowerCut):
                await bed.sealer.seal_all()
        async with opened(folder) as bed:
            await append(bed, range(6, 8))
            await bed.sealer.seal_all()
            assert ids(bed.outbox) == [f"event-{number}" for number in range(1, 8)], f"cut at fsync {cut} of {steps}"
            numbers = [
                orjson.loads(line)["seq"]
                for number in bed.outbox.waiting()
                if (sealed := bed.outbox.load(number)) is not None
                for line in sealed.lines()
            ]
            assert numbers == list(range(1, 8))


async def test_a_full_disk_stops_sealing_and_not_the_spool(tmp_path: Path) -> None:
    disk = Disk()
    async with opened(tmp_path, disk) as bed:
        await append(bed, range(1, 4))
        disk.full = True
        with pytest.raises(OSError, match="No space"):
            await bed.sealer.seal_all()
        await append(bed, range(4, 6))
        disk.full = False
        await bed.sealer.seal_all()
        assert ids(bed.outbox) == [f"event-{number}" for number in range(1, 6)]


async def test_sealing_stops_while_too_much_waits_for_sinks(tmp_path: Path) -> None:
    async with opened(tmp_path, most=10) as bed:
        await append(bed, range(1, 3))
        await bed.sealer.seal_all()
        await append(bed, range(3, 5))
        with pytest.raises(OSError, match="outbox_bytes"):
            await bed.sealer.seal_all()
        for number in bed.outbox.waiting():
            bed.outbox.done(number, "file:x", ["file:x"])
        await bed.sealer.seal_all()
        assert ids(bed.outbox) == ["event-3", "event-4"]


def test_an_object_stays_until_every_sink_has_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    progress = outbox.open()
    sealed, head = make_sealed(STREAM, "ALL", chained(STREAM, Head(), [entry(1)]), CREATED, SIGNER)
    progress.heads["ALL"] = head
    outbox.add([sealed], progress)
    (number,) = outbox.waiting()
    outbox.done(number, "a", ["a", "b"])
    assert outbox.is_done(number, "a")
    assert outbox.load(number) == sealed
    again = Outbox(tmp_path / "outbox")
    again.open()
    assert again.is_done(number, "a")
    assert again.size == len(sealed.body)
    again.done(number, "b", ["a", "b"])
    assert (again.waiting(), again.load(number), again.size) == ([], None, 0)

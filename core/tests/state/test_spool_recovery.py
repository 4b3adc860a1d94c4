"""What opening a spool makes of the files a crash or a bad disk left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from routeiq.state.entry import HEADER_SIZE, encode
from routeiq.state.errors import SpoolCorrupt
from routeiq.state.segments import MAGIC
from routeiq.state.spool import Spool, SpoolLimits

TWO_A_SEGMENT = SpoolLimits(segment_bytes=len(MAGIC) + 2 * (HEADER_SIZE + 10), total_bytes=4096)
PAYLOADS = [b"payload-%02d" % n for n in range(1, 7)]


async def entries(spool: Spool) -> list[tuple[int, bytes]]:
    return [entry async for entry in spool.read()]


async def write(directory: Path, payloads: list[bytes], limits: SpoolLimits | None = None) -> list[Path]:
    spool = await Spool.open(directory, limits=limits)
    for payload in payloads:
        await spool.append(payload)
    await spool.close()
    return sorted(directory.glob("*.seg"))


async def read(directory: Path) -> list[bytes]:
    spool = await Spool.open(directory)
    found = [payload async for _, payload in spool.read()]
    await spool.close()
    return found


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x40
    path.write_bytes(data)


async def test_a_write_torn_at_any_byte_loses_that_entry_alone(tmp_path: Path) -> None:
    (whole,) = await write(tmp_path / "whole", PAYLOADS[:3])
    data = whole.read_bytes()
    start = len(data) - HEADER_SIZE - len(PAYLOADS[2])
    for cut in range(start, len(data)):
        for tail in (b"", b"\0" * (len(data) - cut)):
            directory = tmp_path / "torn"
            directory.mkdir()
            (directory / whole.name).write_bytes(data[:cut] + tail)
            spool = await Spool.open(directory, fsync=lambda fd: None)
            assert await entries(spool) == [(1, PAYLOADS[0]), (2, PAYLOADS[1])]
            assert spool.recovery.cut_bytes == cut - start + len(tail)
            assert await spool.append(b"next") == 3
            await spool.close()
            assert await read(directory) == [*PAYLOADS[:2], b"next"]
            shutil.rmtree(directory)


async def test_a_segment_torn_at_its_birth_is_made_anew(tmp_path: Path) -> None:
    *_, last = await write(tmp_path, PAYLOADS[:2], TWO_A_SEGMENT)
    for content in (b"", MAGIC[:3], b"\0" * len(MAGIC), MAGIC[:5] + b"\0" * 30):
        new = last.with_name(f"{3:020d}.seg")
        new.write_bytes(content)
        assert await read(tmp_path) == PAYLOADS[:2]
        assert new.read_bytes() == MAGIC


@pytest.mark.parametrize("within", range(0, HEADER_SIZE + 10, 5))
async def test_a_damaged_entry_before_an_acknowledged_one_is_refused_with_its_place(
    tmp_path: Path, within: int
) -> None:
    (path,) = await write(tmp_path, PAYLOADS[:3])
    offset = len(MAGIC) + HEADER_SIZE + 10
    flip(path, offset + within)
    before = path.read_bytes()
    with pytest.raises(SpoolCorrupt, match=rf"{path}, offset {offset}: entry 2 is damaged") as caught:
        await Spool.open(tmp_path)
    assert (caught.value.path, caught.value.offset) == (path, offset)
    assert path.read_bytes() == before


async def test_damage_at_the_end_of_an_older_segment_is_no_torn_write(tmp_path: Path) -> None:
    paths = await write(tmp_path, PAYLOADS, TWO_A_SEGMENT)
    assert len(paths) == 3
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    with pytest.raises(SpoolCorrupt, match="entry 2 is damaged"):
        await Spool.open(tmp_path)


async def test_a_batch_whose_pages_reached_the_disk_out_of_order_is_cut_not_refused(tmp_path: Path) -> None:
    (path,) = await write(tmp_path, PAYLOADS[:1])
    torn = bytearray(encode(2, 0, b"lost in the power cut") + encode(3, 1, b"on disk, never acknowledged"))
    torn[:30] = bytes(30)
    with path.open("ab") as file:
        file.write(torn)
    assert await read(tmp_path) == PAYLOADS[:1]


async def test_a_missing_segment_is_noticed(tmp_path: Path) -> None:
    paths = await write(tmp_path, PAYLOADS, TWO_A_SEGMENT)
    paths[1].unlink()
    with pytest.raises(SpoolCorrupt, match="entries 3 to 4 are missing"):
        await Spool.open(tmp_path)


async def test_a_file_of_another_format_is_left_alone(tmp_path: Path) -> None:
    (path,) = await write(tmp_path, PAYLOADS[:1])
    other = b"RIQSPOL\x02 something newer"
    path.write_bytes(other)
    with pytest.raises(SpoolCorrupt, match="this version"):
        await Spool.open(tmp_path)
    assert path.read_bytes() == other


@pytest.mark.parametrize(("damaged", "left"), [(0, [3, 4, 5, 6]), (1, [1, 2, 5, 6])])
async def test_quarantine_sets_the_damaged_segment_aside_and_keeps_the_rest(
    tmp_path: Path, damaged: int, left: list[int]
) -> None:
    paths = await write(tmp_path, PAYLOADS, TWO_A_SEGMENT)
    flip(paths[damaged], len(MAGIC) + 3)
    content = paths[damaged].read_bytes()
    spool = await Spool.open(tmp_path, on_corrupt="quarantine")
    (aside,) = spool.recovery.quarantined
    assert aside.read_bytes() == content
    assert [number for number, _ in await entries(spool)] == left
    assert await spool.append(b"next") == 7
    await spool.close()
    # The hole is explained from now on.
    spool = await Spool.open(tmp_path)
    assert [number for number, _ in await entries(spool)] == [*left, 7]
    assert spool.recovery.quarantined == ()
    await spool.close()


@pytest.mark.parametrize(("limits", "left"), [(None, 0), (TWO_A_SEGMENT, 4)])
async def test_numbers_of_a_quarantined_newest_segment_are_never_given_again(
    tmp_path: Path, limits: SpoolLimits | None, left: int
) -> None:
    *_, path = await write(tmp_path, PAYLOADS, limits)
    flip(path, len(MAGIC) + 3)
    spool = await Spool.open(tmp_path, on_corrupt="quarantine")
    number = await spool.append(b"next")
    assert number > len(PAYLOADS)
    await spool.close()
    spool = await Spool.open(tmp_path)
    kept = [(n, PAYLOADS[n - 1]) for n in range(1, left + 1)]
    assert await entries(spool) == [*kept, (number, b"next")]
    assert await spool.append(b"another") == number + 1
    await spool.close()


async def test_a_payload_that_looks_like_an_entry_confuses_nobody(tmp_path: Path) -> None:
    (path,) = await write(tmp_path, [b"real", encode(9, 0, b"inner")])
    assert await read(tmp_path) == [b"real", encode(9, 0, b"inner")]
    assert path.exists()

"""The spool in one process: order, shared fsyncs, bounds, forgetting, and a disk that fails."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from routeiq.state.errors import SpoolClosed, SpoolCorrupt, SpoolError, SpoolLocked
from routeiq.state.spool import Spool, SpoolLimits
from routeiq_sdk import SpoolFull
from routeiq_sdk.gateway import SpoolService

TINY = SpoolLimits(segment_bytes=256, total_bytes=1024, waiting_bytes=600)


def segments(directory: Path) -> list[int]:
    return sorted(int(path.stem) for path in directory.glob("*.seg"))


async def entries(spool: SpoolService, after: int = 0) -> list[tuple[int, bytes]]:
    return [entry async for entry in spool.read(after)]


class Gate:
    """An fsync that counts, and that waits while the gate is shut."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: OSError | None = None
        self._loop = asyncio.get_running_loop()
        self._open = threading.Event()
        self._open.set()
        self.reached = asyncio.Event()

    def shut(self) -> None:
        self._open.clear()
        self.calls = 0

    def open(self) -> None:
        self._open.set()

    def __call__(self, fd: int) -> None:
        self.calls += 1
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self._open.wait(30)
        if self.error is not None:
            raise self.error
        os.fsync(fd)


async def test_entries_are_read_in_the_order_they_were_numbered(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path / "new" / "spool", limits=TINY)
    numbers = await asyncio.gather(*(spool.append(b"%d" % n) for n in range(12)))
    assert numbers == list(range(1, 13))
    assert await entries(spool) == [(n + 1, b"%d" % n) for n in range(12)]
    assert await entries(spool, after=10) == [(11, b"10"), (12, b"11")]
    assert await entries(spool, after=12) == []
    await spool.close()


async def test_a_reopened_spool_goes_on_where_it_was(tmp_path: Path) -> None:
    for n in range(4):
        spool = await Spool.open(tmp_path, limits=TINY)
        assert await spool.append(bytes([n]) * 100) == n + 1
        assert [number for number, _ in await entries(spool)] == list(range(1, n + 2))
        await spool.close()


async def test_reading_large_segments_in_turns_misses_nothing(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path)
    await asyncio.gather(*(spool.append(b"%d" % n + b"x" * 20_000) for n in range(60)))
    assert [number for number, _ in await entries(spool)] == list(range(1, 61))
    for after in (0, 1, 30, 59):
        assert [number for number, _ in await entries(spool, after)] == list(range(after + 1, 61))
    await spool.close()


async def test_appends_that_wait_together_share_one_fsync(tmp_path: Path) -> None:
    gate = Gate()
    spool = await Spool.open(tmp_path, fsync=gate)
    gate.shut()
    gate.reached.clear()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(spool.append(b"first"))
        await gate.reached.wait()
        for _ in range(50):
            group.create_task(spool.append(b"together"))
        await asyncio.sleep(0)
        gate.open()
    assert gate.calls == 2
    await spool.close()


async def test_an_append_returns_only_after_its_fsync_and_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    gate = Gate()
    spool = await Spool.open(tmp_path, fsync=gate)
    gate.shut()
    gate.reached.clear()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        append = group.create_task(spool.append(b"1"))
        await gate.reached.wait()
        assert not append.done()
        assert await entries(spool) == []
        gate.open()
    assert append.result() == 1
    await spool.close()


async def test_a_cancelled_append_harms_no_other(tmp_path: Path) -> None:
    gate = Gate()
    spool = await Spool.open(tmp_path, fsync=gate)
    gate.shut()
    gate.reached.clear()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        first = group.create_task(spool.append(b"first"))
        await gate.reached.wait()
        second = group.create_task(spool.append(b"second"))
        third = group.create_task(spool.append(b"third"))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        gate.open()
    number = third.result()
    assert (number, b"third") in await entries(spool)
    await spool.close()


async def test_a_full_spool_refuses_and_takes_again_once_entries_are_forgotten(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path, limits=TINY)
    last = 0
    with pytest.raises(SpoolFull, match="of 1024 bytes"):
        while True:
            last = await spool.append(b"x" * 100)
    assert last >= 6
    assert len(await entries(spool)) == last
    assert sum(path.stat().st_size for path in tmp_path.glob("*.seg")) <= 1024
    await spool.forget(last)
    assert await spool.append(b"x" * 100) == last + 1
    assert [number for number, _ in await entries(spool)] == [last + 1]
    await spool.close()


async def test_a_forgotten_spool_is_never_full(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path, limits=SpoolLimits(segment_bytes=256, total_bytes=512))
    for _ in range(30):
        await spool.forget(await spool.append(b"x" * 200))
    await spool.close()


async def test_whole_segments_are_deleted_and_nothing_needed_goes(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path, limits=TINY)
    for _ in range(6):
        await spool.append(b"x" * 100)
    assert segments(tmp_path) == [1, 3, 5]
    await spool.forget(3)
    assert segments(tmp_path) == [3, 5]
    assert [number for number, _ in await entries(spool)] == [4, 5, 6]
    await spool.close()
    spool = await Spool.open(tmp_path, limits=TINY)
    assert [number for number, _ in await entries(spool)] == [3, 4, 5, 6]
    await spool.close()


async def test_forgetting_what_is_not_written_yet_hides_nothing_later(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path, limits=TINY)
    await spool.forget(100)
    assert await entries(spool) == []
    number = await spool.append(b"1")
    assert await entries(spool) == [(number, b"1")]
    await spool.close()


async def test_what_was_forgotten_before_a_clean_close_stays_away_and_numbers_go_on(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path)
    await spool.append(b"1")
    await spool.forget(await spool.append(b"2"))
    await spool.close()
    spool = await Spool.open(tmp_path)
    assert await entries(spool) == []
    assert await spool.append(b"3") == 3
    await spool.close()


async def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path)
    with pytest.raises(SpoolLocked, match=rf"already has a writer \(process {os.getpid()}\)"):
        await Spool.open(tmp_path)
    await spool.append(b"still mine")
    await spool.close()
    await (await Spool.open(tmp_path)).close()


async def test_an_entry_that_fits_no_segment_is_refused_at_once(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path, limits=TINY)
    with pytest.raises(ValueError, match="does not fit"):
        await spool.append(b"x" * 256)
    await spool.append(b"x" * 224)
    await spool.close()


async def test_a_disk_that_hangs_holds_only_so_much_memory(tmp_path: Path) -> None:
    gate = Gate()
    spool = await Spool.open(tmp_path, limits=TINY, fsync=gate)
    gate.shut()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(spool.append(b"x" * 150))
        await asyncio.sleep(0)
        with pytest.raises(SpoolFull, match="wait for the disk"):
            await spool.append(b"x" * 150)
        gate.open()
    assert await spool.append(b"x" * 150) == 4
    await spool.close()


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, SpoolFull), (errno.EDQUOT, SpoolFull), (errno.EIO, SpoolError)]
)
async def test_a_failed_fsync_acknowledges_nothing_and_the_next_append_tries_again(
    tmp_path: Path, number: int, kind: type[SpoolError]
) -> None:
    gate = Gate()
    spool = await Spool.open(tmp_path, fsync=gate)
    await spool.append(b"kept")
    gate.error = OSError(number, os.strerror(number))
    for _ in range(2):
        with pytest.raises(kind, match=os.strerror(number)):
            await spool.append(b"lost")
    gate.error = None
    assert await spool.append(b"again") == 2
    await spool.close()
    spool = await Spool.open(tmp_path)
    assert await entries(spool) == [(1, b"kept"), (2, b"again")]
    await spool.close()


async def test_a_failed_write_leaves_nothing_behind_in_a_segment_that_is_then_closed(tmp_path: Path) -> None:
    gate = Gate()
    spool = await Spool.open(tmp_path, limits=TINY, fsync=gate)
    await spool.append(b"kept" * 20)
    gate.error = OSError(errno.EIO, "bad disk")
    with pytest.raises(SpoolError):
        await spool.append(b"lost" * 10)
    gate.error = None
    await spool.append(b"next" * 50)
    assert segments(tmp_path) == [1, 2]
    await spool.close()
    spool = await Spool.open(tmp_path, limits=TINY)
    assert await entries(spool) == [(1, b"kept" * 20), (2, b"next" * 50)]
    await spool.close()


async def test_a_disk_without_room_for_the_next_segment_is_full_and_then_not(tmp_path: Path) -> None:
    gate = Gate()
    spool = await Spool.open(tmp_path, limits=TINY, fsync=gate)
    await spool.append(b"x" * 200)
    gate.error = OSError(errno.ENOSPC, "no space")
    with pytest.raises(SpoolFull):
        await spool.append(b"y" * 200)
    assert len(list(tmp_path.glob("*.seg"))) == 1
    gate.error = None
    assert await spool.append(b"z" * 200) == 2
    assert [payload[:1] for _, payload in await entries(spool)] == [b"x", b"z"]
    await spool.close()


async def test_closing_writes_what_waits_and_refuses_what_comes_later(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        waiting = [group.create_task(spool.append(b"%d" % n)) for n in range(5)]
        await asyncio.sleep(0)
        await spool.close()
    assert [task.result() for task in waiting] == [1, 2, 3, 4, 5]
    with pytest.raises(SpoolClosed):
        await spool.append(b"late")
    with pytest.raises(SpoolClosed):
        await spool.forget(1)
    await spool.close()


async def test_closing_does_not_wait_for_ever_for_a_disk_that_hangs(tmp_path: Path) -> None:
    gate = Gate()
    spool = await Spool.open(tmp_path, fsync=gate)
    gate.shut()
    gate.reached.clear()
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            append = group.create_task(expect_closed(spool))
            await gate.reached.wait()
            await spool.close(timeout_seconds=0.05)
            await append
            with pytest.raises(SpoolLocked):
                await Spool.open(tmp_path)
    finally:
        gate.open()


async def expect_closed(spool: Spool) -> None:
    with pytest.raises(SpoolClosed):
        await spool.append(b"never acknowledged")


async def test_an_entry_that_the_disk_changed_while_open_is_named(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path)
    await spool.append(b"first")
    await spool.append(b"second")
    (path,) = tmp_path.glob("*.seg")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(SpoolCorrupt) as caught:
        await entries(spool)
    assert caught.value.path == path
    await spool.close()

"""The spool under kill -9, with a second process, and on a disk without room."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from routeiq.state.errors import SpoolLocked
from routeiq.state.spool import Spool

CHILD = Path(__file__).with_name("spool_child.py")
ROUNDS = 5


async def start(role: str, directory: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), role, str(directory), stdout=asyncio.subprocess.PIPE
    )


async def test_no_acknowledged_entry_is_lost_to_kill_9(tmp_path: Path) -> None:
    acknowledged: dict[int, tuple[int, int]] = {}
    for kill_after in range(40, 40 + ROUNDS * 35, 35):
        child = await start("append", tmp_path)
        assert child.stdout is not None
        async with asyncio.timeout(30):
            lines = [await child.stdout.readline() for _ in range(kill_after)]
            child.kill()
            lines += (await child.stdout.read()).splitlines()
            await child.wait()
        for line in lines:
            sequence, writer, number = (int(word) for word in line.split())
            assert sequence not in acknowledged, "one number was given twice"
            acknowledged[sequence] = (writer, number)
        spool = await Spool.open(tmp_path)
        found = {number: payload async for number, payload in spool.read()}
        await spool.close()
        assert list(found) == list(range(1, len(found) + 1))
        assert acknowledged.keys() <= found.keys()
        for sequence, (writer, number) in acknowledged.items():
            assert found[sequence].startswith(b"%d:%d:" % (writer, number))
            assert found[sequence].endswith(b"x" * (number * 37 % 300))


async def test_a_writer_in_another_process_is_refused_until_the_first_dies(tmp_path: Path) -> None:
    child = await start("append", tmp_path)
    assert child.stdout is not None
    try:
        async with asyncio.timeout(30):
            await child.stdout.readline()
            with pytest.raises(SpoolLocked, match=f"process {child.pid}"):
                await Spool.open(tmp_path)
    finally:
        child.kill()
        await child.communicate()
    await (await Spool.open(tmp_path)).close()


async def test_a_full_disk_refuses_leaves_the_process_alive_and_writing_resumes_alone(tmp_path: Path) -> None:
    child = await start("full", tmp_path)
    async with asyncio.timeout(30):
        output, _ = await child.communicate()
    assert child.returncode == 0
    accepted = int(output)
    assert accepted > 3
    spool = await Spool.open(tmp_path)
    found = [payload.rstrip(b"x") async for _, payload in spool.read()]
    await spool.close()
    assert found == [*(b"before %d" % n for n in range(accepted)), b"after"]

"""A process that writes to a spool and says so, for tests that kill it or take its disk away.

Run as `python spool_child.py ROLE DIRECTORY`; it imports nothing of the tests.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import sys
from pathlib import Path

from routeiq.state.spool import Spool, SpoolLimits
from routeiq_sdk import SpoolFull

WRITERS = 8


def payload(writer: int, number: int) -> bytes:
    return b"%d:%d:" % (writer, number) + b"x" * (number * 37 % 300)


async def append_for_ever(directory: Path) -> None:
    """Print `SEQUENCE WRITER NUMBER` for each entry once it is acknowledged, from several writers at once."""
    spool = await Spool.open(directory, limits=SpoolLimits(segment_bytes=16 * 1024))

    async def write(writer: int) -> None:
        for number in itertools.count():
            sequence = await spool.append(payload(writer, number))
            os.write(1, b"%d %d %d\n" % (sequence, writer, number))

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))


async def run_out_of_disk(directory: Path) -> None:
    """Append until files may not grow any more, then give the room back and append again."""
    spool = await Spool.open(directory)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    accepted = 0
    refused = 0
    while refused < 3:
        try:
            await spool.append(b"before %d" % accepted + b"x" * 300)
            accepted += 1
        except SpoolFull:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await spool.append(b"after")
    await spool.close()
    print(accepted)


if __name__ == "__main__":
    roles = {"append": append_for_ever, "full": run_out_of_disk}
    asyncio.run(roles[sys.argv[1]](Path(sys.argv[2])))

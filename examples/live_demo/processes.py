"""The servers of the demo as child processes: started, waited for until they listen, and stopped again.

What they serve is theirs; nothing here speaks HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_SHOWN_LINES = 15
_ADDRESS = re.compile(r"http://[^\s\",]+")


class ServerFailed(Exception):
    """A server did not start, or ended by itself; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    url: str
    log: Path
    process: asyncio.subprocess.Process

    async def ended(self) -> None:
        """Wait until it ends by itself, which it should not. Raises `ServerFailed`."""
        code = await self.process.wait()
        raise ServerFailed(f"{self.name} ended with code {code}.\n{tail(self.log)}")


@contextlib.asynccontextmanager
async def serving(
    name: str, *arguments: str | Path, log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Server]:
    """`python ARGUMENTS`, which prints its address when it is ready. Stopped at the end. Raises `ServerFailed`."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *map(str, arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # Ctrl-C is for the demo, which stops its servers in order
        )
    try:
        yield Server(name, await _address(name, process, log), log, process)
    finally:
        await _stop(process)


async def _address(name: str, process: asyncio.subprocess.Process, log: Path) -> str:
    assert process.stdout is not None
    told = ""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            told = (await process.stdout.readline()).decode()
    found = _ADDRESS.search(told)
    if found is None:
        raise ServerFailed(f"{name} did not start.\n{tail(log)}")
    return found[0]


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])

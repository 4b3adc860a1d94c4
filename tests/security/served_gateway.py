"""A gateway in processes of its own, as an operator runs it, for attacks that a test's own event loop would blur.

Which attacks is the tests' business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

SERVED_KEY = "sk-served-4c0f7b2e91d8a635"


@asynccontextmanager
async def serving(
    folder: Path, config: Mapping[str, Any], *options: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[Served]:
    """`routeiq serve` as an operator runs it, with this process's variables or `env`; it is gone afterwards."""
    written = {"general_settings": {"master_key": SERVED_KEY}, **config}
    written["routeiq"] = {"profile": "minimal", "data_dir": str(folder / "data"), **written.get("routeiq", {})}
    path = folder / "routeiq.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    command = ("-m", "routeiq", "serve", "--port", "0", "--json", "--config", str(path), *options)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        process_group=0,
        env=env,
    )
    served = Served(process, SERVED_KEY)
    reading = asyncio.ensure_future(served.read())
    try:
        async with asyncio.timeout(60):
            await served.listens.wait()
        yield served
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await reading


class Served:
    """A gateway in processes of its own, and all that it said."""

    def __init__(self, process: asyncio.subprocess.Process, key: str) -> None:
        self.process = process
        self.key = key
        self.url = ""
        self.said = bytearray()
        self.listens = asyncio.Event()

    async def read(self) -> None:
        """Both streams to their end."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        await asyncio.gather(self._lines(self.process.stdout), self._lines(self.process.stderr))
        self.listens.set()

    async def _lines(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.said += line
            found = re.search(rb'"listening": ?"(\S+)"', line)
            if found:
                self.url = found[1].decode()
                self.listens.set()

    async def stopped(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        async with asyncio.timeout(30):
            return await self.process.wait()

"""Real server processes for the tests of this folder: started, awaited, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from routeiq.server.settings import ServerSettings, WorkerSpec

HERE = Path(__file__).parent
DEADLINE = 30.0


@dataclass
class ServerProcess:
    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        found = re.search(r"listening on https?://\S+:(\d+)", "\n".join(self.lines))
        assert found, self.lines
        return int(found[1])

    async def line(self, containing: str) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while raw := await self.process.stdout.readline():
                self.lines.append(raw.decode().rstrip())
                if containing in self.lines[-1]:
                    return self.lines[-1]
        raise AssertionError(f"ended without saying {containing!r}: {self.lines}")

    async def exit_code(self) -> int:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            self.lines += (await self.process.stdout.read()).decode().splitlines()
            return await self.process.wait()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@contextlib.asynccontextmanager
async def server(factory: str = "factory", **settings: Any) -> AsyncIterator[ServerProcess]:
    """One server in its own process group; whatever the test did, the whole group is gone afterwards."""
    spec = WorkerSpec(
        factory=f"serving_app:{factory}",
        config_path="some.yaml",
        settings=ServerSettings(**{"port": 0, "grace_seconds": 10.0, "allowed_hosts": ("a",)} | settings),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "serve_process.py"),
        spec.to_json(),
        env=os.environ | {"PYTHONPATH": str(HERE)},
        stdout=asyncio.subprocess.PIPE,
        process_group=0,
    )
    try:
        yield ServerProcess(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # its workers see their lifeline end; a second loss of patience is not needed
        await process.wait()


async def exchange(port: int, request: str, host: str = "127.0.0.1") -> bytes:
    """One request on its own connection; all that came back until the server closed."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request.encode("latin-1"))
        async with asyncio.timeout(DEADLINE):
            return await reader.read(-1)
    finally:
        writer.close()


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])

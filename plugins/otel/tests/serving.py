"""A gateway in processes of its own, as an operator starts it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

KEY = "sk-traces-7b1d90c4e2f8a635"
DEADLINE = 60.0


@asynccontextmanager
async def served(
    folder: Path, written: Mapping[str, Any], env: Mapping[str, str]
) -> AsyncIterator[tuple[Process, str]]:
    """The process, which writes to a pipe, and its URL. All is over within the deadline."""
    path = folder / "routeiq.yaml"
    path.write_text(yaml.safe_dump(dict(written)), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "routeiq", "serve", "--config", str(path), "--port", "0"),
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        process_group=0,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE):
            url = ""
            while not url and (line := await process.stdout.readline()):
                found = re.search(r"listening on (http://[^\s,]+)", line.decode())
                url = found[1] if found is not None else ""
            yield process, url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def stopped(process: Process) -> str:
    """Stop it as a supervisor would; what it still wrote."""
    assert process.stdout is not None
    process.send_signal(signal.SIGTERM)
    rest = await process.stdout.read()
    await process.wait()
    return rest.decode()


async def chat(url: str) -> int:
    """One request over a connection of its own; the number of the worker that answered."""
    headers, one = {"authorization": f"Bearer {KEY}"}, aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(url, headers=headers, connector=one) as session:
        async with session.get("/routeiq/v1/status") as response:
            worker: int = (await response.json())["worker"]
        body = {"model": "fast", "messages": [{"role": "user", "content": "x"}]}
        async with session.post("/v1/chat/completions", json=body) as response:
            assert response.status == 200
            await response.read()
    return worker

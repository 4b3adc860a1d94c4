"""Examples as a user runs them: a plugin installed for real, a YAML served by a process of its own.

The fixtures that give these to tests are in `conftest`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
KEY = "sk-41c7d9e2f05b38a6"
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Served:
    """A gateway in a process of its own."""

    url: str
    process: asyncio.subprocess.Process
    key: str = KEY
    headers: Mapping[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {KEY}"})

    async def chat(self, model: str, text: str) -> tuple[int, dict[str, object]]:
        """One chat completion; status and JSON body."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        async with (
            aiohttp.ClientSession(self.url, headers=self.headers) as session,
            session.post("/v1/chat/completions", json=body) as response,
        ):
            return response.status, await response.json()

    async def stopped(self) -> int:
        """Wait for the end; the exit code."""
        async with asyncio.timeout(_STOP_SECONDS):
            return await self.process.wait()


Serve = Callable[..., Awaitable[Served]]
Install = Callable[[Path], Awaitable[Path]]


async def run(*command: str | Path, seconds: float, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command to its end; exit code and all it printed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(errors="replace")


async def tour(name: str, folder: Path, seconds: float) -> tuple[dict[str, Any], str]:
    """Run an example's tour in this Python; what it tells as JSON, and what it shows beside that."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / name / "run.py"), "--here", "--json", "--folder", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        await end(process)
    assert process.returncode == 0, err.decode()
    return json.loads(out), err.decode()


async def end(process: asyncio.subprocess.Process) -> None:
    """Stop a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

"""The command line as a user runs it: real processes in a folder of the test's own, never left behind."""

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

import pytest

DEADLINE = 45.0
KEY = "sk-command-line-6b1f0c9d27ae83"
_DROPPED = ("_API_KEY", "ROUTEIQ_", "LITELLM_")


def environment(**more: str) -> dict[str, str]:
    """This environment without anything that names a provider or configures a gateway."""
    kept = {name: value for name, value in os.environ.items() if not any(part in name for part in _DROPPED)}
    return {**kept, "ROUTEIQ_MASTER_KEY": KEY, "NO_COLOR": "1", "COLUMNS": "200", **more}


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass
class Serving:
    """A `routeiq serve` that runs; `lines` are what it said so far."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def line(self, containing: str) -> str:
        """The next line of either stream that contains this."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while raw := await self.process.stdout.readline():
                self.lines.append(raw.decode().rstrip())
                if containing in self.lines[-1]:
                    return self.lines[-1]
        raise AssertionError(f"ended without saying {containing!r}: {self.lines}")

    async def url(self) -> str:
        """Where it listens, once it does."""
        found = re.search(r"https?://[^\s\",]+", await self.line("listening"))
        assert found is not None
        return found.group()

    async def ended(self) -> int:
        """The exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            self.lines += (await self.process.stdout.read()).decode().splitlines()
            return await self.process.wait()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


class CommandLine:
    """Runs `routeiq` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = environment()

    def write(self, text: str, name: str = "routeiq.yaml") -> Path:
        """Write a configuration."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    async def run(self, *arguments: str, python: tuple[str, ...] = ("-m", "routeiq")) -> Done:
        """Run one command to its end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, *python, *arguments, cwd=self.folder, env=self.env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(DEADLINE):
                out, err = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    @contextlib.asynccontextmanager
    async def serve(self, *arguments: str, python: tuple[str, ...] = ("-m", "routeiq")) -> AsyncIterator[Serving]:
        """Serve on a free port; whatever happens, the process and its workers are gone afterwards."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, *python, "serve", "--port", "0", *arguments, cwd=self.folder, env=self.env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, process_group=0,
        )  # fmt: skip
        try:
            yield Serving(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


MINIMAL = """\
model_list:
  - model_name: fast
    litellm_params:
      model: openai/scripted
      api_base: {base_url}
      api_key: sk-upstream-secret-0d4e1f
general_settings:
  master_key: os.environ/ROUTEIQ_MASTER_KEY
routeiq:
  profile: minimal
"""


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def key() -> str:
    return KEY

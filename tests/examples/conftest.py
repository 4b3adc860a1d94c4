"""Fixtures of the tests of examples. What they do is in `example_runs`; each example's promises are in its test."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from example_runs import KEY, Install, Serve, Served, end, run

_INSTALL_SECONDS = 90.0
_START_SECONDS = 30.0


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """A function that builds and installs a distribution into a folder of the test's own, for use as PYTHONPATH."""

    async def into_folder(project: Path) -> Path:
        target = tmp_path / "site"
        options = ("install", "--quiet", "--no-deps", "--target")
        code, told = await run(*_installer(), *options, target, project, seconds=_INSTALL_SECONDS)
        assert code == 0, told
        return target

    return into_folder


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """A function that serves a YAML file on a free port, in a process; what still runs at the end is killed."""
    async with AsyncExitStack() as stack:

        async def start(config: Path, environment: Mapping[str, str] | None = None) -> Served:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "routeiq", "serve", "--config", str(config), "--port", "0"),
                env={**os.environ, "ROUTEIQ_MASTER_KEY": KEY, **(environment or {})},
                stdout=asyncio.subprocess.PIPE,
            )
            stack.push_async_callback(end, process)
            assert process.stdout is not None
            async with asyncio.timeout(_START_SECONDS):
                line = (await process.stdout.readline()).decode()
            found = re.search(r"http://[^\s,]+", line)
            assert found, f"it did not start: {line!r}"
            return Served(found[0], process)

        yield start


def _installer() -> tuple[str, ...]:
    """pip, or uv where an environment has no pip."""
    for name, module in (("uv", ("uv", "pip")), ("pip", ("pip",))):
        if importlib.util.find_spec(name) is not None:
            return (sys.executable, "-m", *module)
    return ("uv", "pip")

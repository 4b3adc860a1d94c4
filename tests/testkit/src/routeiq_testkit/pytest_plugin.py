"""Pytest fixtures of the test kit; installing the distribution registers them.
The servers behind them live in their own modules and need no pytest.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from .gateway import TestGateway
from .installed import PluginFolder
from .scripted import ScriptedUpstream
from .simulated import SimulatedModels

pytest_plugins = ("routeiq_testkit.servers.fixtures",)

StartGateway = Callable[[Mapping[str, Any]], Awaitable[TestGateway]]
Share = Callable[[int, int], bool]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--whole`, for the benchmark `sweeps`."""
    parser.addoption("--whole", action="store_true", help="sweeps try every case, not their share (minutes each)")


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether a sweep tries every case. Without `--whole` it tries a share: the same cases each time, spread evenly."""
    return bool(request.config.getoption("--whole"))


@pytest.fixture
def share(whole: bool) -> Share:
    """A function of a case's number and of `of`: whether a sweep tries it. One in `of` is."""
    return lambda number, of: whole or number % of == 0


@pytest_asyncio.fixture
async def scripted_upstream() -> AsyncIterator[ScriptedUpstream]:
    """A scripted upstream of the test's own, gone when the test ends."""
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest_asyncio.fixture
async def simulated_models() -> AsyncIterator[SimulatedModels]:
    """The simulated models without their latency."""
    async with SimulatedModels(time_scale=0) as models:
        yield models


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[StartGateway]:
    """A function that starts a gateway from a configuration; all are stopped when the test ends."""
    async with AsyncExitStack() as stack:

        async def start(config: Mapping[str, Any]) -> TestGateway:
            folder = tmp_path / f"gateway-{next(numbers)}"
            folder.mkdir()
            return await stack.enter_async_context(TestGateway(folder, config))

        numbers = itertools.count()
        yield start


@pytest.fixture
def plugin_folder(tmp_path: Path) -> Iterator[PluginFolder]:
    """A folder in which a test installs plugins of its own."""
    with PluginFolder(tmp_path / "site") as folder:
        yield folder

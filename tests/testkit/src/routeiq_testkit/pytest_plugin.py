"""Pytest fixtures of the test kit; installing the distribution registers them.
The servers behind them live in their own modules and need no pytest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .scripted import ScriptedUpstream
from .simulated import SimulatedModels


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

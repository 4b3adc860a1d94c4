"""A gateway with governance on its embedded database, and callers of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .world import Client, World, build

Open = Callable[..., Awaitable[Client]]


@pytest.fixture
def open_gateway(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Open:
    """A function that starts a gateway with governance and gives the client of its master key."""

    async def start(**sections: Mapping[str, Any]) -> Client:
        running = await gateway(
            {
                "model_list": [openai_row(name, scripted_upstream.base_url) for name in ("fast", "smart")],
                "routeiq": {"plugins": {"governance": {}}},
                **sections,
            }
        )
        return Client(running, running.key)

    return start


@pytest_asyncio.fixture
async def master(open_gateway: Open) -> Client:
    """The holder of the master key."""
    return await open_gateway()


@pytest_asyncio.fixture
async def world(master: Client) -> World:
    """Two tenants and their people."""
    return await build(master.gateway)

"""A gateway with governance on its embedded database, in front of priced models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .client import Client

Open = Callable[..., Awaitable[Client]]
PRICE = {"input_cost_per_token": "0.001", "output_cost_per_token": "0.001"}


@pytest.fixture
def open_gateway(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Open:
    """A function that starts a gateway with governance and gives the client of its master key."""

    async def start(**sections: Mapping[str, Any]) -> Client:
        running = await gateway(
            {
                "model_list": [openai_row(name, scripted_upstream.base_url, **PRICE) for name in ("fast", "smart")],
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
async def tenants(master: Client) -> Client:
    """The master of a gateway with the organizations `acme` (team `blue`) and `rival` (team `red`)."""
    for organization, team in (("acme", "blue"), ("rival", "red")):
        await master.post("/organization/new", organization_id=organization, organization_alias=organization)
        await master.post("/team/new", team_id=team, organization_id=organization)
    return master

"""Two gateways on one PostgreSQL: what one adds, both serve."""

from __future__ import annotations

import asyncio

import pytest_asyncio
from sqlalchemy.ext.asyncio import create_async_engine

from routeiq_governance.store.schema import upgrade
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.servers import PostgresServer

from .client import Client


@pytest_asyncio.fixture
async def replicas(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, postgres: PostgresServer
) -> tuple[Client, Client]:
    """Two of them, without a store that carries messages between them."""
    url = await postgres.database()
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()
    config = {
        "model_list": [openai_row("written", scripted_upstream.base_url)],
        "general_settings": {"database_url": url},
        "routeiq": {
            "state": {"url": "memory://"},
            "egress": {"allow": ["127.0.0.1"]},
            "plugins": {"governance": {"encryption_key": "a secret of the tests alone"}},
        },
    }
    first, second = await gateway(config), await gateway(config)
    return Client(first, scripted_upstream, first.key), Client(second, scripted_upstream, second.key)


async def test_the_other_replica_serves_what_was_added(replicas: tuple[Client, Client]) -> None:
    first, second = replicas
    await first.add("fresh")
    async with asyncio.timeout(15):
        while await second.chat("fresh") != 200:
            await asyncio.sleep(0.1)
    assert "fresh" in await second.models()

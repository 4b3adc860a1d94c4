"""Both kinds of database, each empty and at our revision."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.store.database import Database, make_engine
from routeiq_governance.store.schema import upgrade
from routeiq_sdk.testing import FakeGateway

KEY = "a secret of the tests alone"


async def migrated(url: str) -> str:
    """The same address, after our migrations."""
    engine = make_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()
    return url


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """An open database of either kind."""
    config = {}
    if request.param == "postgres":
        url = await migrated(await request.getfixturevalue("postgres").database())
        config = {"database_url": url, "encryption_key": KEY}
    opened = Database(GovernanceConfig.model_validate(config))
    gateway = FakeGateway()
    await opened.open(gateway)
    yield opened
    await opened.close()
    await gateway.aclose()

"""A LiteLLM database, a configuration of ours, and the import between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from routeiq_governance.importer.report import Report
from routeiq_governance.importer.source import opened
from routeiq_governance.importer.transfer import transfer
from routeiq_testkit.servers import PostgresServer

from .litellm_database import SALT, OldDatabase

Import = Callable[..., Awaitable[Report]]


@pytest_asyncio.fixture
async def old(postgres: PostgresServer) -> OldDatabase:
    """The database of a LiteLLM proxy, without rows."""
    database = OldDatabase(await postgres.database())
    await database.make()
    return database


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    """A configuration with the embedded database."""
    return {"routeiq": {"data_dir": str(tmp_path / "data")}}


@pytest.fixture
def bring_over(old: OldDatabase, document: Mapping[str, Any]) -> Import:
    """The import."""

    async def run(*, dry: bool = False, salt_key: str | None = SALT, **environment: str) -> Report:
        return await transfer(opened(old.url), document, salt_key=salt_key, environment=environment, dry=dry)

    return run

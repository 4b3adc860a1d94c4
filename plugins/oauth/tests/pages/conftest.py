"""An authorization server, two upstreams, and gateways in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from ..authorization_server import AuthorizationServer, Upstream
from ..outbound import Open, opener


@pytest_asyncio.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    """An authorization server."""
    async with AuthorizationServer() as server:
        yield server


@pytest_asyncio.fixture
async def upstream(server: AuthorizationServer) -> AsyncIterator[Upstream]:
    """A protected upstream."""
    async with Upstream(server) as upstream:
        yield upstream


@pytest.fixture
def open_gateway(gateway: StartGateway, plugin_folder: PluginFolder) -> Open:
    """A function that starts a gateway."""
    return opener(gateway, plugin_folder)

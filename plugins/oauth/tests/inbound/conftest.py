"""A gateway with protected resources and people, an authorization server elsewhere, browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .behind import Behind
from .browser import Browser
from .client import Client
from .issuer import Issuer

Open = Callable[..., Awaitable[TestGateway]]
REDIRECT = "https://editor.example/callback"
CLIENTS = {
    "editor": {"name": "Editor", "redirect_uris": [REDIRECT]},
    "desk": {"name": "Desk", "redirect_uris": ["http://127.0.0.1/cb", "com.example.desk:/cb"]},
    "vault": {"name": "Vault", "redirect_uris": [REDIRECT], "secret": "a-secret-of-the-vault"},
}


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An authorization server elsewhere."""
    async with Issuer() as issuer:
        yield issuer


@pytest.fixture
def behind(plugin_folder: PluginFolder) -> type[Behind]:
    """The adapter's stand-in, installed; its class, on which a test may set things."""

    class Installed(Behind):
        people = {}

    STANDIN["plugin"] = Installed
    source = f"""
    import sys
    Fixture = sys.modules[{__name__!r}].STANDIN["plugin"]
    """
    plugin_folder.install("test-behind", source)
    return Installed


@pytest.fixture
def open_gateway(gateway: StartGateway, behind: type[Behind]) -> Open:
    """A function that starts a gateway with this oauth block. `egress` is the gateway's own block."""

    async def start(*, egress: dict[str, Any] | None = None, **oauth: Any) -> TestGateway:
        return await gateway(
            {
                "model_list": [],
                "routeiq": {
                    "plugins": {"oauth": oauth, "test-behind": {}},
                    **({"egress": egress} if egress is not None else {}),
                },
            }
        )

    return start


@pytest_asyncio.fixture
async def served(open_gateway: Open) -> TestGateway:
    """A gateway that is its own authorization server."""
    return await open_gateway(authorization_server={"enabled": True, "clients": CLIENTS, "dynamic_registration": True})


@pytest_asyncio.fixture
async def open_browser() -> AsyncIterator[Callable[[TestGateway], Awaitable[Browser]]]:
    """A function that opens a browser on a gateway."""
    async with AsyncExitStack() as stack:

        async def start(gateway: TestGateway) -> Browser:
            return await stack.enter_async_context(Browser(gateway.url))

        yield start


@pytest_asyncio.fixture
async def browser(served: TestGateway, open_browser: Callable[[TestGateway], Awaitable[Browser]]) -> Browser:
    """A browser on `served`."""
    return await open_browser(served)


@pytest_asyncio.fixture
async def client(served: TestGateway) -> AsyncIterator[Client]:
    """The client `editor`."""
    async with Client(served.url, "editor", REDIRECT) as client:
        yield client


STANDIN: dict[str, type[Behind]] = {}

"""An issuer, a directory, and a gateway that knows both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .directory import DirectoryPlugin, MemoryDirectory
from .issuer import Issuer

Open = Callable[..., Awaitable[TestGateway]]


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An identity provider."""
    async with Issuer() as issuer:
        yield issuer


@pytest.fixture
def directory() -> MemoryDirectory:
    """An empty directory."""
    return MemoryDirectory()


@pytest.fixture
def open_gateway(
    gateway: StartGateway,
    scripted_upstream: ScriptedUpstream,
    plugin_folder: PluginFolder,
    directory: MemoryDirectory,
) -> Open:
    """A function that starts a gateway with this oidc block, and the directory unless `directory=False`."""

    async def start(*, directory: bool = True, **oidc: Any) -> TestGateway:
        plugins: dict[str, Any] = {"oidc": oidc}
        if directory:
            plugins["test-directory"] = {}
        return await gateway(
            {
                "model_list": [openai_row("fast", scripted_upstream.base_url)],
                "routeiq": {"egress": {"allow": ["127.0.0.0/8"]}, "plugins": plugins},
            }
        )

    class Offered(DirectoryPlugin):
        offered = directory

    OFFERED["plugin"] = Offered
    source = f"""
    import sys
    Fixture = sys.modules[{__name__!r}].OFFERED["plugin"]
    """
    plugin_folder.install("test-directory", source)
    return start


@pytest.fixture
def open_litellm(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Open:
    """A function that starts a gateway with these keys in `general_settings`, and the plugin named."""

    async def start(**general: Any) -> TestGateway:
        return await gateway(
            {
                "model_list": [openai_row("fast", scripted_upstream.base_url)],
                "general_settings": general,
                "routeiq": {"egress": {"allow": ["127.0.0.0/8"]}, "plugins": {"oidc": {}}},
            }
        )

    return start


OFFERED: dict[str, type[DirectoryPlugin]] = {}

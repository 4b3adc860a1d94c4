"""Fixtures of access: a gateway with governance on its embedded database, and two tenants in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .over_http import Tenants, tenants

Open = Callable[..., Awaitable[TestGateway]]


@pytest.fixture
def open_gateway(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Open:
    """A function that starts a gateway with governance; sections of the YAML are laid over."""

    async def start(**sections: Mapping[str, Any]) -> TestGateway:
        base = scripted_upstream.base_url
        early = {**openai_row("beta", base), "model_info": {"access_groups": ["early"]}}
        rows = [openai_row("fast", base), openai_row("smart", base), early]
        config: dict[str, Any] = {"model_list": rows, "routeiq": {"plugins": {"governance": {}}}}
        return await gateway({**config, **sections})

    return start


@pytest_asyncio.fixture
async def both(open_gateway: Open) -> Tenants:
    """Two tenants and their people."""
    return await tenants(await open_gateway())

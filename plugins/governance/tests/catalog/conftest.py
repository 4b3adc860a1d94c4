"""A gateway with governance. Added models may call the scripted upstream, since the YAML names its address, too."""

from __future__ import annotations

import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .client import Client


@pytest_asyncio.fixture
async def master(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Client:
    """The holder of the master key."""
    running = await gateway(
        {
            "model_list": [openai_row("written", scripted_upstream.base_url)],
            "router_settings": {"num_retries": 0},
            "routeiq": {
                "egress": {"allow": [scripted_upstream.origin.removeprefix("http://")]},
                "plugins": {"governance": {}},
            },
        }
    )
    return Client(running, scripted_upstream, running.key)

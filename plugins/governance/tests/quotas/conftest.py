"""Gateways with governance, started by the tests of quotas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .world import DEAR, PRICE, Governed

Govern = Callable[..., Awaitable[Governed]]


@pytest.fixture
def govern(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Govern:
    """Start a gateway with these policies and this configuration of governance; other keywords are other sections."""

    async def start(*policies: Mapping[str, Any], plugin: Mapping[str, Any] | None = None, **changes: Any) -> Governed:
        block = dict(changes.pop("routeiq", {}))
        governance = {**(plugin or {}), **({"policies": list(policies)} if policies else {})}
        up = scripted_upstream.base_url
        config = {
            "model_list": [
                openai_row("fast", up, "model-fast", **PRICE),
                openai_row("dear", up, "model-dear", **DEAR),
                openai_row("unpriced", up, "model-unpriced"),
            ],
            "router_settings": {"num_retries": 0},
            **changes,
            "routeiq": {**block, "plugins": {"governance": governance, **block.get("plugins", {})}},
        }
        return Governed(await gateway(config))

    return start

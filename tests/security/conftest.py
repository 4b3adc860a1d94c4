"""The gateway that the attacks of this folder are aimed at: every plugin of ours that brings routes is in it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

sys.path.insert(0, str(Path(__file__).parent))
from served_gateway import serving

SCIM_TOKEN = "scim-7f2c9e41d8b05a63-provisioning"
PLUGINS: dict[str, Any] = {
    "governance": {},
    "policy-cedar": {},
    "prometheus": {},
    "oidc": {
        "issuers": [{"issuer": "http://127.0.0.1:9/", "audience": "routeiq", "jwks_url": "http://127.0.0.1:9/jwks"}],
        "login": {"client_id": "routeiq", "public_url": "http://127.0.0.1:4000"},
        "scim": {"token": SCIM_TOKEN},
    },
}

Fortress = Callable[..., Awaitable[TestGateway]]


@pytest.fixture
def fortress(gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path) -> Fortress:
    """A function that starts the gateway, with more in its `routeiq:` block."""

    async def start(**block: Any) -> TestGateway:
        audit = {"sinks": [{"kind": "file", "path": str(tmp_path / "audit")}]}
        plugins = {**PLUGINS, "audit": audit, **block.pop("plugins", {})}
        return await gateway(
            {
                "model_list": [openai_row("fast", scripted_upstream.base_url)],
                "router_settings": {"num_retries": 0},
                "routeiq": {**block, "plugins": plugins},
            }
        )

    return start


@pytest.fixture
def serve() -> Callable[..., Any]:
    """`serving`, for tests."""
    return serving

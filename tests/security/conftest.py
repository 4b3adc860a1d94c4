"""What the attacks share: a gateway with two tenants and their clients, one with every plugin that brings routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import create_async_engine

from routeiq_governance.store.schema import upgrade
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.servers.postgres import PostgresServer

from .canary_host import canary_host  # noqa: F401 (a fixture)
from .guard_field import attacked, judge  # noqa: F401 (fixtures)
from .served_gateway import serving
from .tenants import Tenants, two_tenants

PRICE = {"input_cost_per_token": "0.000001", "output_cost_per_token": "0.00001"}
Govern = Callable[..., Awaitable[TestGateway]]


@pytest.fixture
def govern(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Govern:
    """A function that starts a gateway with governance and the models `fast` and `smart`; `governance` is its block,
    `plugins` are more of them, other keywords are sections of the YAML."""

    async def start(
        governance: Mapping[str, Any] | None = None, plugins: Mapping[str, Any] | None = None, **sections: Any
    ) -> TestGateway:
        block = dict(sections.pop("routeiq", {}))
        config: dict[str, Any] = {
            "model_list": [openai_row(name, scripted_upstream.base_url, **PRICE) for name in ("fast", "smart")],
            "router_settings": {"num_retries": 0},
            **sections,
        }
        named = {"governance": dict(governance or {}), **(plugins or {})}
        return await gateway({**config, "routeiq": {**block, "plugins": named}})

    return start


@pytest_asyncio.fixture
async def both(govern: Govern) -> Tenants:
    """Two tenants in a gateway of their own."""
    return await two_tenants(await govern())


async def migrated(postgres: PostgresServer) -> str:
    """The URL of a database with governance's tables, each of whose statements the server writes into its log."""
    url = await postgres.database()
    await postgres.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET log_statement = 'all'")
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()
    return url


def on_postgres(url: str, **general: Any) -> dict[str, Any]:
    """The sections of a gateway on such a database, for `govern`."""
    return {
        "governance": {"encryption_key": "a secret of the tests alone"},
        "general_settings": {"database_url": url, **general},
        "routeiq": {"state": {"url": "memory://"}},
    }


SCIM_TOKEN = "scim-7f2c9e41d8b05a63-provisioning"
PLUGINS: dict[str, Any] = {
    "governance": {},
    "policy-cedar": {},
    "prometheus": {},
    "a2a": {"agents": {"x": {"url": "http://127.0.0.1:9"}}, "default_agent": "x"},
    "mcp": {"virtual_servers": {"open": {"servers": ["x"], "auth": "none"}, "shut": {"servers": ["x"]}}},
    "oidc": {
        "issuers": [{"issuer": "http://127.0.0.1:9/", "audience": "routeiq", "jwks_url": "http://127.0.0.1:9/jwks"}],
        "login": {"client_id": "routeiq", "public_url": "http://127.0.0.1:4000"},
        "scim": {"token": SCIM_TOKEN},
    },
    "oauth": {
        "issuers": [{"issuer": "http://127.0.0.1:9", "jwks_url": "http://127.0.0.1:9/jwks"}],
        "authorization_server": {"enabled": True, "dynamic_registration": True},
    },
}

SERVERS = {"x": {"url": "http://127.0.0.1:9/mcp"}}
"""The section `mcp_servers` for these plugins."""

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
                "mcp_servers": SERVERS,
                "routeiq": {**block, "plugins": plugins},
            }
        )

    return start


@pytest.fixture
def serve() -> Callable[..., Any]:
    """`serving`, for tests."""
    return serving

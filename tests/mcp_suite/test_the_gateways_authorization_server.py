"""Promise: the gateway's own authorization server passes the official suite's checks of authorization servers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from routeiq_testkit.pytest_plugin import StartGateway

from .everything import everything
from .node import script, started
from .serving import loopback_socket
from .signing_in import with_key

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them
_SECONDS = 120.0
_CHECKS = {"authorization-server-metadata", "authorization-server-metadata-cimd", "authorization-code-grant"}


async def test_the_official_checks_pass(gateway: StartGateway, tmp_path: Path) -> None:
    free = loopback_socket()
    port = free.getsockname()[1]
    free.close()
    callback = f"http://127.0.0.1:{port}/callback"
    server = {"enabled": True, "clients": {"suite": {"name": "The suite", "redirect_uris": [callback]}}}
    async with everything() as upstream:
        running = await gateway(
            {
                "model_list": [],
                "mcp_servers": {"every": {"url": upstream}},
                "routeiq": {"plugins": {"governance": {}, "mcp": {}, "oauth": {"authorization_server": server}}},
            }
        )
        async with running.session.post("/user/new", json={"user_id": "ann"}) as answer:
            key = (await answer.json())["key"]
        command = [
            *script("@modelcontextprotocol/conformance", "dist/index.js"),
            *("authorization", "--url", running.url, "--client-id", "suite", "--port", str(port)),
            *("--resource", f"{running.url}/every/mcp", "--output-dir", str(tmp_path / "results")),
        ]
        async with started(*command, quiet=True) as process, asyncio.timeout(_SECONDS):
            assert process.stdout is not None
            said = []
            while line := (await process.stdout.readline()).decode():
                said.append(line)
                if line.startswith(f"{running.url}/authorize?"):
                    async with httpx.AsyncClient() as browser:
                        await browser.get(await with_key(key, callback)(line.strip()))
            assert await process.wait() == 0, "".join(said)

    checks = [check for path in (tmp_path / "results").rglob("checks.json") for check in read(path)]
    assert {check["id"] for check in checks} >= _CHECKS
    assert [check for check in checks if check["status"] != "SUCCESS"] == []


def read(path: Path) -> list[dict[str, Any]]:
    """The checks of one scenario."""
    checks: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return checks

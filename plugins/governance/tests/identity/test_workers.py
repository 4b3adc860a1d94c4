"""What one worker changes, the others see: at once when the shared store carries messages, within seconds without."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from routeiq_governance.store.database import make_engine
from routeiq_governance.store.schema import upgrade
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.servers import PostgresServer, ValkeyServer


async def _post(running: TestGateway, path: str, body: Mapping[str, Any], key: str | None = None) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with running.session.post(path, json=body, headers=headers) as response:
        return response.status, await response.json()


async def _chat(running: TestGateway, key: str) -> int:
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}]}
    return (await _post(running, "/v1/chat/completions", body, key))[0]


async def _until(running: TestGateway, key: str, status: int, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while await _chat(running, key) != status:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("messages", "seconds"), [(True, 1.0), (False, 5.0)], ids=["valkey", "no messages"])
async def test_a_revocation_is_seen_by_the_other_worker(
    gateway: StartGateway,
    scripted_upstream: ScriptedUpstream,
    postgres: PostgresServer,
    valkey: ValkeyServer,
    messages: bool,
    seconds: float,
) -> None:
    url = await postgres.database()
    engine = make_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()
    config = {
        "model_list": [openai_row("fast", scripted_upstream.base_url)],
        "general_settings": {"database_url": url},
        "routeiq": {
            "state": {"url": valkey.url if messages else "memory://"},
            "plugins": {"governance": {"encryption_key": "a secret of the tests alone"}},
        },
    }
    here, there = await gateway(config), await gateway(config)
    key = (await _post(here, "/key/generate", {}))[1]["key"]
    assert await _chat(there, key) == 200
    for path, status in (("/key/block", 401), ("/key/unblock", 200)):
        assert (await _post(here, path, {"key": key}))[0] == 200
        assert await _chat(here, key) == status, "the worker that changed it acts at once"
        await _until(there, key, status, seconds)
    assert (await _post(here, "/key/delete", {"keys": [key]}))[0] == 200
    await _until(there, key, 401, seconds)
    made = (await _post(here, "/key/generate", {}))[1]["key"]
    assert await _chat(there, made) == 200, "a key that nobody asked for before needs no message"

"""State in PostgreSQL: migrated by the command, shared by workers, away for a while and back."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.servers import PostgresServer

from .conftest import DEADLINE, KEY, StartWorkers


async def migrate(path: Path, *options: str, site: Path | str = "") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "routeiq", "migrate", "--config", str(path), *options),
        env={**os.environ, "PYTHONPATH": str(site)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE):
        told, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, told.decode()


async def test_the_command_migrates_once_and_a_start_before_it_names_it(
    postgres: PostgresServer, workers: StartWorkers, tmp_path: Path
) -> None:
    url = await postgres.database()
    path = tmp_path / "routeiq.yaml"
    async with workers(state={"url": url}, plugins={}, server={"workers": 1}) as gateway:
        assert await gateway.ended() == 78
        assert "routeiq migrate --config" in "\n".join(gateway.lines)
    assert await migrate(path, "--check") == (1, "state: without tables, needs 0001\n")
    assert await migrate(path) == (0, "state: migrated to revision 0001\n")
    code, told = await migrate(path, "--check", "--json")
    line = {"schema": "state", "revision": "0001", "needed": "0001", "migrated": False}
    assert (code, json.loads(told)) == (0, {"ok": True, "schemas": [line]})


async def test_a_configuration_without_postgresql_has_nothing_to_migrate(tmp_path: Path) -> None:
    path = tmp_path / "routeiq.yaml"
    path.write_text(yaml.safe_dump({"general_settings": {"master_key": KEY}, "routeiq": {"profile": "minimal"}}))
    assert await migrate(path) == (0, "nothing to migrate: no PostgreSQL database is configured\n")


async def test_a_database_that_is_killed_degrades_the_gateway_until_it_is_back(
    postgres: PostgresServer, workers: StartWorkers, plugin_folder: PluginFolder, tmp_path: Path
) -> None:
    url = await postgres.database()
    async with workers(state={"url": url}) as gateway:
        assert await gateway.ended() == 78
    assert (await migrate(tmp_path / "routeiq.yaml", site=plugin_folder.folder))[0] == 0
    async with workers(state={"url": url}) as gateway:
        await gateway.listening()
        assert (await gateway.surely("take", "before"))[1] is True
        postgres.kill()
        assert (await gateway.ask("take", "away"))[0] == 503
        ready, reasons = await until(gateway.url, "degraded")
        assert ready == 200
        assert reasons == ["state: the postgresql store does not answer"]
        assert await chat(gateway.url) == 200
        postgres.start()
        await until(gateway.url, "healthy")
        async with asyncio.timeout(DEADLINE):
            while (await gateway.ask("take", "after"))[0] != 200:
                await asyncio.sleep(0.05)
        assert set((await gateway.ask_all("take", "before")).values()) == {True}


async def until(url: str, status: str) -> tuple[int, Any]:
    """Ask until readiness says this; its HTTP status and reasons."""
    async with asyncio.timeout(DEADLINE), aiohttp.ClientSession(url) as session:
        while True:
            async with session.get("/health/readiness") as response:
                body = await response.json()
                if body["status"] == status:
                    return response.status, body.get("reasons")
            await asyncio.sleep(0.05)


async def chat(url: str) -> int:
    body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
    async with (
        aiohttp.ClientSession(url, headers={"authorization": f"Bearer {KEY}"}) as session,
        session.post("/v1/chat/completions", json=body) as response,
    ):
        return response.status

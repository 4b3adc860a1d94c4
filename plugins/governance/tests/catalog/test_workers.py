"""Two worker processes: a model that one adds is served by both, and what one refuses neither keeps."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row

KEY = "sk-workers-2f9c51ab77d0e364"
_SECONDS = 100.0


@pytest_asyncio.fixture
async def url(tmp_path: Path, scripted_upstream: ScriptedUpstream) -> AsyncIterator[str]:
    """The address of a gateway of two workers."""
    config = {
        "model_list": [openai_row("written", scripted_upstream.base_url)],
        "general_settings": {"master_key": KEY},
        "routeiq": {
            "profile": "minimal",
            "egress": {"allow": ["127.0.0.1"]},
            "data_dir": str(tmp_path / "data"),
            "server": {"workers": 2, "grace_seconds": 5},
            "plugins": {"governance": {}},
        },
    }
    path = tmp_path / "routeiq.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    log = (tmp_path / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "routeiq", "serve", "--config", str(path), "--port", "0"),
        env={**os.environ, "NO_COLOR": "1"},
        stdout=log,
        stderr=asyncio.subprocess.STDOUT,
        process_group=0,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            while not (found := re.search(r"listening on (http://[^\s,]+)", (tmp_path / "log").read_text())):
                assert process.returncode is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.05)
        yield found[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        log.close()


async def ask(url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One request on a connection of its own, so that the kernel chooses the worker."""
    headers = {"authorization": f"Bearer {KEY}", "connection": "close"}
    async with (
        aiohttp.ClientSession(url, headers=headers) as session,
        session.request(method, path, json=body) as response,
    ):
        return response.status, await response.json()


async def until_both(url: str, models: int) -> None:
    """Wait until each worker serves so many deployments."""
    serving: dict[int, int] = {}
    async with asyncio.timeout(_SECONDS):
        while serving != {0: models, 1: models}:
            _, status = await ask(url, "GET", "/routeiq/v1/status")
            serving[status["worker"]] = status["models"]
            await asyncio.sleep(0.02)


@pytest.mark.timeout(300)
async def test_both_workers_serve_what_one_was_asked_to_add(url: str, scripted_upstream: ScriptedUpstream) -> None:
    params = {"model": "openai/x", "api_base": scripted_upstream.base_url, "api_key": "sk-x"}
    status, made = await ask(url, "POST", "/model/new", {"model_name": "fresh", "litellm_params": params})
    assert status == 200, made
    await until_both(url, 2)
    status, _ = await ask(url, "POST", "/model/new", {"model_name": "bad", "litellm_params": {**params, "rpm": "x"}})
    assert status == 400
    status, told = await ask(url, "POST", "/model/delete", {"id": made["model_id"]})
    assert status == 200, told
    await until_both(url, 1)

"""A real gateway of two worker processes: each is an instance of its own, and a stop loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import yaml

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row

from .collector import HttpCollector, told

KEY = "sk-traces-7b1d90c4e2f8a635"
DEADLINE = 60.0
REQUESTS = 20


async def test_every_request_of_every_worker_arrives_although_the_gateway_is_stopped_at_once(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    written = {
        "model_list": [openai_row("fast", scripted_upstream.base_url)],
        "general_settings": {"master_key": KEY},
        "routeiq": {
            "profile": "minimal",
            "data_dir": str(tmp_path / "data"),
            "server": {"workers": 2, "grace_seconds": 5},
            "plugins": {"otel": {"linger_seconds": 60}},  # nothing leaves before the stop
        },
    }
    path = tmp_path / "routeiq.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "routeiq", "serve", "--config", str(path), "--port", "0"),
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_collector.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        process_group=0,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE):
            url = ""
            while not url and (line := await process.stdout.readline()):
                found = re.search(r"listening on (http://[^\s,]+)", line.decode())
                url = found[1] if found is not None else ""
            workers = set[int]()
            asked = 0
            while len(workers) < 2 or asked < REQUESTS:
                with contextlib.suppress(aiohttp.ServerDisconnectedError):
                    workers.add(await chat(url))
                    asked += 1
            process.send_signal(signal.SIGTERM)
            await process.stdout.read()
            await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    assert len(otlp_collector.servers()) == asked
    assert len(otlp_collector.spans) == 2 * asked
    resources = [
        told(resource.resource.attributes)
        for message in otlp_collector.of("traces")
        for resource in message.resource_spans
    ]
    assert {resource["routeiq.worker"] for resource in resources} == {0, 1}
    assert len({resource["service.instance.id"] for resource in resources}) == 2
    assert "gateway.request.total" in otlp_collector.metrics


async def chat(url: str) -> int:
    """One request over a connection of its own; the number of the worker that answered."""
    headers, one = {"authorization": f"Bearer {KEY}"}, aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(url, headers=headers, connector=one) as session:
        async with session.get("/routeiq/v1/status") as response:
            worker: int = (await response.json())["worker"]
        body = {"model": "fast", "messages": [{"role": "user", "content": "x"}]}
        async with session.post("/v1/chat/completions", json=body) as response:
            assert response.status == 200
            await response.read()
    return worker

"""Two workers: told to stop in the middle of a stream, the gateway refuses new work and lets the stream finish."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from example_runs import EXAMPLES, Serve

from routeiq_testkit import Reply, ScriptedUpstream

_STREAM_SECONDS = 20.0


async def test_a_live_stream_is_not_cut(serve: Serve, scripted_upstream: ScriptedUpstream, tmp_path: Path) -> None:
    scripted_upstream.default_for("sim-sage", Reply.stream([f"word {n} " for n in range(20)], gap=0.1))
    text = (EXAMPLES / "two-workers" / "routeiq.yaml").read_text(encoding="utf-8")
    assert "http://127.0.0.1:4999/v1" in text
    config = tmp_path / "routeiq.yaml"
    config.write_text(text.replace("http://127.0.0.1:4999/v1", scripted_upstream.base_url), encoding="utf-8")
    gateway = await serve(config)
    body = {"model": "slow", "stream": True, "messages": [{"role": "user", "content": "Tell me a long story."}]}
    async with (
        asyncio.timeout(_STREAM_SECONDS),
        aiohttp.ClientSession(gateway.url, headers=gateway.headers) as session,
        session.post("/v1/chat/completions", json=body) as response,
    ):
        assert response.status == 200
        first = await response.content.readline()
        gateway.process.terminate()
        while await _accepts(gateway.url):
            await asyncio.sleep(0.02)
        rest = await response.content.read()
    assert b"data:" in first
    assert b"word 19" in rest
    assert rest.rstrip().endswith(b"[DONE]")
    assert await gateway.stopped() == 0


async def _accepts(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return False
    writer.close()
    return True

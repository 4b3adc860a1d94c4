"""A gateway that is killed with -9 while it serves: what it acknowledged is in the trail, once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import yaml

from routeiq_audit.packing import unpack
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import openai_row

KEY = "sk-audit-kill-5a17c93e0bd2f486"
SECONDS = 60.0


def write(folder: Path, upstream: ScriptedUpstream) -> Path:
    audit = {
        "spool": str(folder / "spool"),
        "sinks": [{"kind": "file", "path": str(folder / "audit")}],
        "seal": {"seconds": 0.2},
        "classes": {"request": "closed"},
    }
    document = {
        "model_list": [openai_row("m", upstream.base_url)],
        "general_settings": {"master_key": KEY},
        "routeiq": {
            "profile": "minimal",
            "data_dir": str(folder / "data"),
            "server": {"port": 0, "workers": 2},
            "plugins": {"audit": audit},
        },
    }
    path = folder / "routeiq.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    command = [sys.executable, "-m", "routeiq", "serve", "--config", str(path), "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            while b"listening" not in (line := await process.stdout.readline()):
                assert line, "the gateway ended before it served"
        yield orjson.loads(line)["listening"], process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def ask(url: str, answered: set[str], stop: asyncio.Event) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {KEY}"}) as session:
        while not stop.is_set():
            try:
                async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
                    await answer.read()
                    if answer.status == 200:
                        answered.add(answer.headers["x-routeiq-request-id"])
            except aiohttp.ClientError:
                return


def trail(folder: Path) -> tuple[list[dict[str, Any]], int]:
    """All lines, and how many (stream, number) pairs stand there twice."""
    found = [
        orjson.loads(line)
        for path in (folder / "audit").rglob("*.jsonl.zst")
        for line in unpack(path.read_bytes()).splitlines()
    ]
    return found, len(found) - len({(line["stream"], line["seq"]) for line in found})


@pytest.mark.timeout(600)
async def test_what_was_answered_before_a_kill_is_in_the_trail_once(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, whole: bool
) -> None:
    scripted_upstream.default = Reply.chat("yes")
    path = write(tmp_path, scripted_upstream)
    answered: set[str] = set()
    for _ in range(10 if whole else 2):
        before = len(answered)
        async with serving(path) as (url, process):
            stop = asyncio.Event()
            asking = [asyncio.create_task(ask(url, answered, stop)) for _ in range(8)]
            async with asyncio.timeout(SECONDS):
                while len(answered) < before + 60:
                    await asyncio.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            stop.set()
            await asyncio.gather(*asking)
    async with serving(path):
        async with asyncio.timeout(SECONDS):
            while answered - {line["event"]["request_id"] for line in trail(tmp_path)[0]}:
                await asyncio.sleep(0.1)
    lines, twice = trail(tmp_path)
    assert twice == 0
    started = {line["event"]["request_id"] for line in lines if line["name"] == "routeiq.attempt_started.v1"}
    assert answered <= started
    streams = {line["stream"] for line in lines}
    assert len(streams) == 2, "a worker goes on with the stream of the one before it"
    for stream in streams:
        numbers = sorted(line["seq"] for line in lines if line["stream"] == stream)
        assert numbers == list(range(1, len(numbers) + 1)), "no gap"

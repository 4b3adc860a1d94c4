"""Two real workers: whichever is asked tells the sums of both, also after one was killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import openai_row

from .conftest import Scraped

KEY = "sk-metrics-4c0e91d7b3a852f6"
DEADLINE = 60.0
PRICES = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.0}


@dataclass
class Workers:
    """A gateway of two processes."""

    process: asyncio.subprocess.Process
    url: str

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[int, aiohttp.ClientSession]]:
        """A connection of its own, and the worker at its other end."""
        headers, one = {"authorization": f"Bearer {KEY}"}, aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(self.url, headers=headers, connector=one) as session:
            async with session.get("/routeiq/v1/status") as response:
                worker = (await response.json())["worker"]
            yield worker, session

    async def of_each(self, do: Callable[[aiohttp.ClientSession], Any]) -> dict[int, Any]:
        """What `do` gives at each of the two workers."""
        found: dict[int, Any] = {}
        async with asyncio.timeout(DEADLINE):
            while len(found) < 2:
                with contextlib.suppress(aiohttp.ClientError):
                    async with self.connected() as (worker, session):
                        if worker not in found:
                            found[worker] = await do(session)
        return found

    async def tell_alike(self, name: str, value: float) -> dict[int, Scraped]:
        """Wait until both workers tell this sum; a record is written after the client got its last byte."""
        async with asyncio.timeout(DEADLINE):
            while True:
                pages = await self.of_each(scrape)
                told = [page.sum(name) for page in pages.values()]
                assert max(told) <= value, f"{name} is more than what was done: {told}"
                if told == [value, value]:
                    return pages
                await asyncio.sleep(0.05)


async def scrape(session: aiohttp.ClientSession) -> Scraped:
    async with session.get("/metrics") as response:
        assert response.status == 200
        return Scraped.of(await response.text())


async def chat(session: aiohttp.ClientSession, times: int = 1) -> None:
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}]}
    for _ in range(times):
        async with session.post("/v1/chat/completions", json=body) as response:
            assert response.status == 200
            await response.read()


@pytest.fixture
def workers(tmp_path: Path, scripted_upstream: ScriptedUpstream) -> Callable[[], AbstractAsyncContextManager[Workers]]:
    """A function that serves with two workers."""
    scripted_upstream.default_for("good", Reply.chat("x", usage=Usage(10, 5)))

    @asynccontextmanager
    async def start() -> AsyncIterator[Workers]:
        priced = openai_row("fast", scripted_upstream.base_url, "good", **PRICES)
        written = {
            "model_list": [{**priced, "model_info": {"id": "fast-1"}}],
            "general_settings": {"master_key": KEY},
            "routeiq": {
                "profile": "minimal",
                "data_dir": str(tmp_path / "data"),
                "server": {"workers": 2, "grace_seconds": 2},
                "plugins": {"prometheus": {}},
            },
        }
        path = tmp_path / "routeiq.yaml"
        path.write_text(yaml.safe_dump(written), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routeiq", "serve", "--config", str(path), "--port", "0"),
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            process_group=0,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(DEADLINE):
                while found := await process.stdout.readline():
                    if listening := re.search(r"listening on (http://[^\s,]+)", found.decode()):
                        yield Workers(process, listening[1])
                        return
            raise AssertionError("it ended without listening")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    return start


async def test_each_worker_tells_the_exact_sums_of_both(workers: Any) -> None:
    async with workers() as running:
        done = 0
        for times in (3, 4):
            await running.of_each(lambda session, times=times: chat(session, times))
            done += 2 * times
            pages = await running.tell_alike("routeiq_requests_total", done)
            for page in pages.values():
                assert page.sum("litellm_proxy_total_requests_metric_total") == done
                assert page.sum("routeiq_tokens_total", kind="input") == 10 * done
                assert page.sum("routeiq_cost_usd_total") == pytest.approx(0.01 * done, abs=1e-12)
                assert page.sum("routeiq_request_seconds_count") == done
                assert page.sum("routeiq_request_seconds_bucket", le="+Inf") == done
                assert page.one("routeiq_workers").value == 2
                assert page.one("routeiq_in_flight_most").value == 2 * 512
        seconds = {page.sum("routeiq_request_seconds_sum") for page in pages.values()}
        assert max(seconds) == pytest.approx(min(seconds), rel=1e-12)


async def test_the_counts_of_a_killed_worker_stay_and_its_gauges_go(workers: Any) -> None:
    async with workers() as running:
        await running.of_each(lambda session: chat(session, 5))
        await running.tell_alike("routeiq_requests_total", 10)
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text()
        os.kill(int(children.split()[1]), signal.SIGKILL)
        async with running.connected() as (_, session):
            assert (await scrape(session)).sum("routeiq_requests_total") == 10
        pages = await running.tell_alike("routeiq_workers", 2)  # its successor is there
        assert all(page.sum("routeiq_requests_total") == 10 for page in pages.values())
        assert all(page.one("routeiq_in_flight_most").value == 2 * 512 for page in pages.values())
        await running.of_each(lambda session: chat(session, 2))
        await running.tell_alike("routeiq_requests_total", 14)

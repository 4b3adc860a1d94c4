"""Whichever worker is asked: the last minute is that of all, and every decision is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.servers.valkey import ValkeyServer

from .conftest import DEADLINE, KEY, StartWorkers

COUNT = 24


async def call(url: str, method: str, path: str, key: str = KEY, **more: Any) -> tuple[int, Any, Any]:
    """On a connection of its own, so that the kernel chooses a worker: status, headers, JSON."""
    headers = {"authorization": f"Bearer {key}", "connection": "close"}
    async with (
        aiohttp.ClientSession(url, headers=headers) as session,
        session.request(method, path, **more) as answer,
    ):
        return answer.status, answer.headers, await answer.json()


async def chat(url: str, key: str = KEY) -> str:
    body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
    status, headers, _ = await call(url, "POST", "/v1/chat/completions", key, json=body)
    assert status == 200
    return str(headers["x-routeiq-decision-id"])


async def surely(ask: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """A worker of a busy machine may answer too late for half a second; asked again, it is heard."""
    told = None
    try:
        async with asyncio.timeout(DEADLINE):
            while (told := await ask()) != wanted:
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"wanted {wanted}, told {told}") from None


async def workers_and_attempts(url: str, key: str = KEY) -> tuple[int, int]:
    _, _, told = await call(url, "GET", "/routeiq/v1/live", key)
    return told["workers"], told["models"].get("fast", {"attempts": 0})["attempts"]


async def looked_up(url: str, decision: str, key: str = KEY) -> tuple[int, str | None]:
    status, _, told = await call(url, "GET", f"/routeiq/v1/decisions/{decision}", key)
    return status, told.get("decision_id")


async def page_through(url: str) -> list[str]:
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        query = {"model": "fast", "limit": "7", **after}
        _, _, told = await call(url, "GET", "/routeiq/v1/decisions", params=query)
        assert [row["at"] for row in told["data"]] == sorted((row["at"] for row in told["data"]), reverse=True)
        found += [row["decision_id"] for row in told["data"]]
        if told["next"] is None:
            return found
        after = {"after": told["next"]}


async def test_two_workers_answer_as_one(workers: StartWorkers) -> None:
    async with workers() as gateway:
        await gateway.listening()
        url = gateway.url
        await surely(partial(workers_and_attempts, url), (2, 0))
        made = [await chat(url) for _ in range(COUNT)]
        for _ in range(4):  # most likely both workers are asked
            await surely(partial(workers_and_attempts, url), (2, COUNT))
            await surely(partial(page_through, url), made[::-1])
        status, _, told = await call(url, "GET", "/routeiq/v1/decisions/dec-nothing")
        assert status == 404
        assert "No worker keeps the decision dec-nothing" in told["error"]["message"]


@asynccontextmanager
async def node(folder: Path, upstream: ScriptedUpstream, state: str) -> AsyncIterator[TestGateway]:
    folder.mkdir()
    rows = [openai_row("fast", upstream.base_url)]
    async with TestGateway(folder, {"model_list": rows, "routeiq": {"state": {"url": state}}}) as gateway:
        yield gateway


async def test_gateways_on_one_store_answer_as_one(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, valkey: ValkeyServer
) -> None:
    async with (
        node(tmp_path / "a", scripted_upstream, valkey.url) as first,
        node(tmp_path / "b", scripted_upstream, valkey.url) as second,
    ):
        await surely(partial(workers_and_attempts, first.url, first.key), (2, 0))
        decision = await chat(first.url, first.key)
        await surely(partial(workers_and_attempts, second.url, second.key), (2, 1))
        await surely(partial(looked_up, second.url, decision, second.key), (200, decision))

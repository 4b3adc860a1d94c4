"""S1: no hostile URL, by whatever way it comes, makes the gateway connect to this machine. Canaries count that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row

from .conftest import Govern
from .hostile import CORPUS, ENTRY_POINTS, Canaries, all_urls, arrivals, place, worst_name_server

AT_ONCE = 8
EVERY = 5
"""Of the corpus, where a second surface leads to the same way in, which took them all."""
GEMINI = {"model": "gemini/scripted", "api_key": "k"}
"""A provider that litellm speaks, and whose images litellm would fetch by itself."""


@pytest_asyncio.fixture
async def canaries() -> AsyncIterator[Canaries]:
    made = Canaries()
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize("way", ENTRY_POINTS)
async def test_no_url_reaches_the_canary(way: str, canaries: Canaries) -> None:
    async with place() as at:
        assert await arrivals(ENTRY_POINTS[way], canaries, at, all_urls()) == (0, [])


@pytest.mark.parametrize("way", ENTRY_POINTS)
async def test_the_canary_would_notice(way: str, canaries: Canaries) -> None:
    async with place("127.0.0.0/8") as at:
        hits, _ = await arrivals(ENTRY_POINTS[way], canaries, at, ["http://www.example.com:{port}"])
        assert hits == 1


@pytest.fixture
def worst_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the gateway, every name is 127.0.0.1."""
    monkeypatch.setattr("routeiq.egress.client.system_lookup", lambda executor: worst_name_server)


async def tell_all(gateway: TestGateway, path: str, bodies: list[Any]) -> list[int]:
    """The statuses of these requests, a few at once."""
    several = asyncio.Semaphore(AT_ONCE)

    async def tell(body: Any) -> int:
        async with several, gateway.session.post(path, json=body) as response:
            await response.read()
            return response.status

    return await asyncio.gather(*(tell(body) for body in bodies))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_no_client_names_an_address_for_a_call(
    path: str, govern: Govern, scripted_upstream: ScriptedUpstream, canaries: Canaries, worst_names: None
) -> None:
    gateway = await govern()
    asked = {"model": "fast", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    some = all_urls()[:: EVERY if "messages" in path else 1]
    bodies = [{**asked, "api_base": url} for url in canaries.urls(some)]
    assert set(await tell_all(gateway, path, bodies)) == {400}
    assert (canaries.hits, scripted_upstream.requests) == (0, [])


@pytest.mark.parametrize("shape", ["image", "file", "anthropic image"])
async def test_no_url_in_a_prompt_is_fetched_from_here(
    shape: str, gateway: Any, scripted_upstream: ScriptedUpstream, canaries: Canaries, worst_names: None
) -> None:
    def part(url: str) -> dict[str, Any]:
        if shape == "image":
            return {"type": "image_url", "image_url": {"url": url}}
        if shape == "file":
            return {"type": "file", "file": {"file_id": url}}
        return {"type": "image", "source": {"type": "url", "url": url}}

    row = {"model_name": "eyes", "litellm_params": {**GEMINI, "api_base": scripted_upstream.origin}}
    running = await gateway({"model_list": [row], "router_settings": {"num_retries": 0, "allowed_fails": 100_000}})
    path = "/v1/messages" if "anthropic" in shape else "/v1/chat/completions"
    bodies = [
        {"model": "eyes", "max_tokens": 5, "messages": [{"role": "user", "content": [part(url)]}]}
        for url in canaries.urls(all_urls()[:: 1 if shape == "image" else EVERY])
        if url.isascii() and url.startswith("http")  # others are no address that anybody would fetch
    ]
    statuses = await tell_all(running, path, bodies)
    assert canaries.hits == 0
    assert statuses.count(400) > len(statuses) * 0.9
    assert 200 not in statuses


async def test_no_row_of_the_admin_api_reaches_the_canary(
    govern: Govern, canaries: Canaries, worst_names: None
) -> None:
    """One of each kind, since each row makes a runtime; the way in itself takes them all above."""
    gateway = await govern()
    told = {"model": "openai/x", "api_base": "https://api.example.com", "api_key": "k"}
    async with gateway.session.post("/model/new", json={"model_name": "added", "litellm_params": told}) as made:
        id = (await made.json())["model_id"]
    kept = 0
    for url in canaries.urls(urls[len(urls) // 2] for urls in CORPUS.values()):
        patch = {"litellm_params": {**told, "api_base": url}}
        async with gateway.session.patch(f"/model/{id}/update", json=patch) as response:
            kept += response.status == 200
        asked = {"model": "added", "messages": [{"role": "user", "content": "x"}]}
        async with gateway.session.post("/v1/chat/completions", json=asked) as response:
            assert response.status >= 400
    assert kept > 2
    assert canaries.hits == 0


async def test_no_server_of_the_admin_api_reaches_the_canary(
    govern: Govern, canaries: Canaries, worst_names: None
) -> None:
    """One address of each kind, as the server itself and as the document of an API."""
    gateway = await govern(plugins={"mcp": {"list_seconds": 0}})
    kept = 0
    for number, url in enumerate(canaries.urls(urls[len(urls) // 2] for urls in CORPUS.values())):
        for place_of in ("url", "spec_path"):
            body = {"server_name": f"s{number}{place_of[0]}", place_of: url}
            async with gateway.session.post("/v1/mcp/server", json=body) as response:
                kept += response.status == 201
                assert response.status < 500
    async with gateway.session.get("/v1/mcp/server/health") as response:
        rows = await response.json()
    assert {row["status"] for row in rows} == {"unhealthy"}
    assert len(rows) == kept > 2
    assert canaries.hits == 0


async def test_a_whole_gateways_canary_would_notice(govern: Govern, canaries: Canaries, worst_names: None) -> None:
    gateway = await govern(
        routeiq={"egress": {"allow": ["127.0.0.0/8"]}},
        model_list=[openai_row("fast", f"http://www.example.com:{canaries.ports[0]}")],
    )
    await tell_all(gateway, "/v1/chat/completions", [{"model": "fast", "messages": [{"role": "user", "content": "x"}]}])
    assert canaries.hits == 1

"""Promise: two gateways that share a store are one MCP server: every request of a client may reach the other, in each
era, also the answer to what a server asks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

import aiohttp
import pytest

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.servers.valkey import ValkeyServer

from .everything import everything_process

MODERN = "2026-07-28"
ACCEPT = {"accept": "application/json, text/event-stream"}
TOOL = "test_input_required_result_elicitation"
ANSWER = {"action": "accept", "content": {"name": "Ada"}}


class Replicas:
    """Gateways that take turns."""

    def __init__(self, gateways: list[TestGateway], name: str) -> None:
        self._turn = cycle(gateways)
        self._path = f"/{name}/mcp"

    def post(self, message: Mapping[str, Any], **headers: str) -> Any:
        """A message to whose turn it is."""
        return next(self._turn).session.post(self._path, json=message, headers={**ACCEPT, **_named(headers)})

    def get(self, **headers: str) -> Any:
        return next(self._turn).session.get(self._path, headers={**ACCEPT, **_named(headers)})

    def delete(self, **headers: str) -> Any:
        return next(self._turn).session.delete(self._path, headers=_named(headers))


@asynccontextmanager
async def replicas(gateway: StartGateway, valkey: ValkeyServer, eras: Any) -> AsyncIterator[Replicas]:
    async with everything_process(eras) as url:
        config = {
            "mcp_servers": {"behind": {"url": url, "transport": "http"}},
            "routeiq": {
                "state": {"url": valkey.url},
                "plugins": {"mcp": {"encryption_key": "a secret of the tests alone"}},
            },
        }
        yield Replicas([await gateway(config), await gateway(config)], "behind")


async def messages(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """What an answer says, as it comes."""
    assert answer.status == 200, await answer.text()
    if answer.content_type == "application/json":
        yield await answer.json()
        return
    async for line in answer.content:
        if line.startswith(b"data:") and line[5:].strip():
            yield json.loads(line[5:])


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def _tool(listed: Mapping[str, Any]) -> str:
    names: list[str] = [tool["name"] for tool in listed["result"]["tools"]]
    return next(name for name in names if name.endswith(TOOL))


@pytest.mark.parametrize("eras", ["modern", "legacy"])
async def test_a_modern_client_is_asked_over_two_replicas(
    gateway: StartGateway, valkey: ValkeyServer, eras: str
) -> None:
    async with replicas(gateway, valkey, eras) as both:
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        }

        async def ask(method: str, id: int, **params: Any) -> dict[str, Any]:
            body = {"jsonrpc": "2.0", "id": id, "method": method, "params": {**params, "_meta": meta}}
            headers = {"mcp_protocol_version": MODERN, "mcp_method": method}
            if "name" in params:
                headers["mcp_name"] = params["name"]
            async with both.post(body, **headers) as answer:
                said = [message async for message in messages(answer)]
            assert said[-1]["id"] == id
            return said[-1]

        name = await _tool(await ask("tools/list", 1))
        for turn in range(3):
            asked = (await ask("tools/call", turn, name=name, arguments={}))["result"]
            (key, question), *_ = asked["inputRequests"].items()
            assert question["method"] == "elicitation/create"
            more = {"requestState": asked["requestState"]} if "requestState" in asked else {}
            end = await ask("tools/call", 100 + turn, name=name, arguments={}, inputResponses={key: ANSWER}, **more)
            assert end["result"]["content"][0]["text"] == "Hello, Ada!"
            await ask("tools/list", 200)  # so that the next turn begins at the other


@pytest.mark.parametrize("eras", ["modern", "legacy"])
async def test_a_legacy_client_is_asked_over_two_replicas(
    gateway: StartGateway, valkey: ValkeyServer, eras: str
) -> None:
    async with replicas(gateway, valkey, eras) as both:
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "bare", "version": "0"},
        }
        async with both.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}) as opened:
            assert opened.status == 200, await opened.text()
            session = {"mcp_session_id": opened.headers["mcp-session-id"], "mcp_protocol_version": "2025-11-25"}
        async with both.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, **session) as listed:
            name = await _tool(await listed.json())
        for turn in range(3):
            call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": name, "arguments": {}}}
            async with both.post(call, **session) as stream:
                said = messages(stream)
                asked = await anext(said)
                assert asked["method"] == "elicitation/create"
                answer = {"jsonrpc": "2.0", "id": asked["id"], "result": ANSWER}
                async with both.post(answer, **session) as taken:
                    assert taken.status == 202
                assert (await anext(said))["result"]["content"][0]["text"] == "Hello, Ada!", turn
            async with both.post({"jsonrpc": "2.0", "id": 3, "method": "ping"}, **session) as ponged:
                assert ponged.status == 200
        async with both.delete(**session) as ended:
            assert ended.status == 204
        async with both.get(**session) as gone:
            assert gone.status == 404

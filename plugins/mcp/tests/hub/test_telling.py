"""What a whole gateway tells of calls: the wires on both sides, by names that the contract knows, and no session id."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from routeiq_mcp.hub.walking import plain_uri
from routeiq_sdk.events.tool_call import FACTS
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .test_in_the_gateway import config, served, wiki

HEARING = """
import asyncio
from routeiq_sdk import Plugin, PluginConfig, hookimpl

class Fixture(Plugin[PluginConfig]):
    events = []
    more = asyncio.Condition()

    @hookimpl
    async def emit(self, events):
        async with self.more:
            self.events.extend(event for event in events if event.name.startswith("routeiq.tool_"))
            self.more.notify_all()
"""


class Heard:
    def __init__(self) -> None:
        self._of = sys.modules["fixture_hearing"].Fixture

    async def until(self, count: int) -> list[Any]:
        async with self._of.more:
            await self._of.more.wait_for(lambda: len(self._of.events) >= count)
            return list(self._of.events)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with served(wiki()) as url:
        yield url


class LegacyClient:
    """A client of 2025-11-25 that shows its wire."""

    def __init__(self, http: httpx.AsyncClient, path: str) -> None:
        self.http = http
        self.path = path

    async def open(self) -> str:
        told = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bare", "version": "0"}}
        answer = await self.http.post(
            self.path, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": told}
        )
        id = answer.headers["mcp-session-id"]
        self.http.headers.update({"mcp-session-id": id, "mcp-protocol-version": "2025-11-25"})
        return id

    async def ask(self, id: Any, method: str, **params: Any) -> dict[str, Any]:
        answer = await self.http.post(self.path, json={"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        if answer.headers["content-type"] == "application/json":
            return dict(answer.json())
        (line,) = [line[5:] for line in answer.text.splitlines() if line.startswith("data:") and "jsonrpc" in line]
        return dict(json.loads(line))


def legacy_client(running: TestGateway, path: str) -> LegacyClient:
    headers = {"authorization": f"Bearer {running.key}", "accept": "application/json, text/event-stream"}
    return LegacyClient(httpx.AsyncClient(base_url=running.url, headers=headers, timeout=20), path)


async def test_each_call_tells_both_wires_and_no_session_id(
    gateway: StartGateway, plugin_folder: PluginFolder, url: str
) -> None:
    plugin_folder.install("hearing", HEARING)
    written = config({"wiki": url}, servers={"wiki": {"spec_version": "2025-11-25"}})
    written["routeiq"]["plugins"]["hearing"] = {}
    running = await gateway(written)
    client, heard = legacy_client(running, "/wiki/mcp"), Heard()
    async with client.http:
        id = await client.open()
        assert "result" in await client.ask("first", "tools/call", name="read", arguments={"page": "start"})
        assert "result" in await client.ask(2, "prompts/get", name="summarize", arguments={"page": "start"})
        assert "result" in await client.ask(3, "resources/read", uri="wiki://start")
        refused = await client.ask(4, "prompts/get", name="nothing", arguments={})
        assert (await client.http.delete(client.path)).status_code == 204
    *calls, last = await heard.until(5)
    assert last.name == "routeiq.tool_session.v1"
    mark = hashlib.sha256(id.encode()).hexdigest()[:16]
    assert (last.payload["session_sha256"], last.payload["server"]) == (mark, "wiki")
    facts = [event.payload["attributes"] for event in calls]
    assert [each["method"] for each in facts] == ["tools/call", "prompts/get", "resources/read", "prompts/get"]
    assert [each["request_id"] for each in facts] == ["first", "2", "3", "4"]
    for each in facts:
        assert each.keys() <= FACTS.keys()
        assert each["session_sha256"] == mark != each["upstream_session_sha256"]
        assert (each["protocol_version"], each["upstream_version"]) == ("2025-11-25", "2025-11-25")
        assert (each["upstream_transport"], each["upstream_address"]) == ("tcp", "127.0.0.1")
        assert each["upstream_request_id"].isdecimal()
    assert facts[1]["prompt"] == "summarize"
    assert facts[2]["resource_uri"] == "wiki://start"
    code = str(refused["error"]["code"])
    assert (facts[3]["rpc_status_code"], facts[3]["upstream_rpc_status_code"]) == (code, code)
    assert id not in json.dumps([event.payload for event in (*calls, last)])


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("https://ann:pw@files.example:8443/a/b?token=s3cret#part", "https://files.example:8443/a/b"),
        ("file:///notes/today.txt?x=1", "file:///notes/today.txt"),
        ("skill://x/SKILL.md", "skill://x/SKILL.md"),
        ("urn:isbn:1#2", "urn:isbn:1"),
        ("https://a@b@host/path@1", "https://host/path@1"),
        ("", ""),
    ],
)
def test_of_a_uri_the_parts_that_carry_credentials_are_left_out(uri: str, told: str) -> None:
    assert plain_uri(uri) == told

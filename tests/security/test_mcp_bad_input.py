"""Servers, agents and tokens that are not as they should be: through a whole gateway, each ends in one clear error.

| what | here | and, in more ways, in |
|---|---|---|
| a server that is dead, slow, cut off, of a wrong content type, of broken JSON, that answers another question, that redirects to a private address, that sends 100 MB | yes | `plugins/mcp/tests/upstream/test_misbehaving.py`, `plugins/a2a/tests/test_trouble.py` |
| a tool that lies about its schema | yes | `plugins/mcp/tests/hub/test_pins.py` |
| a tool that changes after approval | `protections_of_tools` | `plugins/mcp/tests/hub/test_pins.py` |
| descriptions, instructions, prompts and cards that poison | `test_v10_guards_on_tools` | `plugins/a2a/tests/test_cards.py` |
| tokens that ended, of another issuer, for another audience | yes | `plugins/oauth/tests/inbound/test_tokens_at_the_gate.py` |
| consent opened by the wrong user | | `plugins/oauth/tests/pages/test_consent_is_personal.py` |
"""  # noqa: E501

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from mcp import MCPError

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway

from ..mcp_suite import troubles
from ..mcp_suite.recording import RecordingUpstream, recording_upstream
from .attacks_on_tools import rpc
from .canary_host import CanaryHost
from .issuers import Issuer
from .tool_field import TOOL, mcp_client, scripted_server

TROUBLES = {
    "slow": troubles.hang(),
    "cut off": troubles.cut(),
    "a page": troubles.html(),
    "broken JSON": troubles.garbage(),
    "500": troubles.status(500, b"Traceback: secret-of-the-server"),
    "another answer": troubles.other_id(),
    "elsewhere": troubles.redirect(),
    "100 MB": troubles.huge(),
    "100 MB of events": troubles.huge(as_events=True),
}


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with recording_upstream("modern") as made:
        yield made


async def in_front(gateway: StartGateway, url: str) -> TestGateway:
    row = {"url": url, "transport": "http", "timeout": 1}
    return await gateway({"model_list": [], "mcp_servers": {"s": row}, "routeiq": {"plugins": {"mcp": {}}}})


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_server_in_trouble_is_a_clear_error_and_the_next_call_is_served(
    gateway: StartGateway, upstream: RecordingUpstream, canary_host: CanaryHost, era: str
) -> None:
    running = await in_front(gateway, upstream.url)
    ways = {**TROUBLES, "to a private address": troubles.redirect(f"{canary_host.origin}/mcp")}
    async with mcp_client(running, "/s/mcp", era) as client:
        await client.list_tools()
        for what, trouble in ways.items():
            upstream.misbehave(trouble, "tools/call")
            with pytest.raises(MCPError) as caught:
                await client.call_tool("echo", {"text": "hello"})
            said = f"{caught.value} {caught.value.data}"
            assert "s" in said.split() or "'s'" in said or "server s" in said, (what, said)
            assert "127.0.0.1" not in said, (what, said)
            assert "secret-of-the-server" not in said
            upstream.misbehave(None)
            assert not (await client.call_tool("echo", {"text": "hello"})).is_error, what
        assert canary_host.hits == 0
        await upstream.die()
        with pytest.raises(MCPError, match="s"):
            await client.call_tool("echo", {"text": "hello"})
        await upstream.start()


LIES = {
    "a schema that is none": {**TOOL, "inputSchema": "anything"},
    "a type that is none": {**TOOL, "inputSchema": {"type": "object", "properties": {"q": {"type": "word"}}}},
    "a list for an object": {**TOOL, "inputSchema": {"type": "array"}},
    "no schema": {"name": "act", "description": "Does it."},
    "the name of a method": {**TOOL, "name": "resources/read"},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_tool_that_lies_about_itself_is_hidden_with_the_reason(gateway: StartGateway, lie: str) -> None:
    async with scripted_server() as (server, url):
        server.lists = {"tools/list": [LIES[lie], {**TOOL, "name": "honest"}]}
        running = await in_front(gateway, url)
        async with mcp_client(running, "/s/mcp", "legacy") as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["honest"]
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool(LIES[lie]["name"], {})
        assert server.calls("tools/call") == []
        async with running.session.get("/v1/mcp/server/s/tools") as response:
            assert LIES[lie]["name"] in (await response.json())["left_out"]
        async with running.session.get("/health/readiness") as response:
            assert "cannot be offered: s" in await response.text()


async def test_a_token_that_is_not_for_here_is_refused_with_the_way_to_a_good_one(gateway: StartGateway) -> None:
    async with AsyncExitStack() as stack:
        server, url = await stack.enter_async_context(scripted_server())
        issuer, stranger = [await stack.enter_async_context(Issuer()) for _ in range(2)]
        oauth = {"issuers": [{"issuer": issuer.url, "jwks_url": f"{issuer.url}/keys"}]}
        plugins = {"mcp": {}, "oauth": oauth}
        running = await gateway({"model_list": [], "mcp_servers": {"s": {"url": url}}, "routeiq": {"plugins": plugins}})
        here, now = f"{running.url}/s/mcp", int(time.time())
        wrong = {
            "ended": issuer.token(aud=here, iat=now - 900, exp=now - 600),
            "for another server": issuer.token(aud=f"{running.url}/other/mcp"),
            "for nobody": issuer.token(aud=[]),
            "of another issuer": stranger.token(aud=here),
            "signed by another": issuer.token(aud=here, signed_by=stranger),
        }
        for what, token in wrong.items():
            status, headers, told = await rpc(running, "/s/mcp", token, "tools/list")
            assert status == 401, (what, told)
            challenge = {name.lower(): value for name, value in headers.items()}["www-authenticate"]
            assert "resource_metadata=" in challenge, what
            assert 'error="invalid_token"' in challenge, what
            assert token not in told
        assert server.asked == []
        status, _, told = await rpc(running, "/s/mcp", issuer.token(aud=here), "tools/list")
        assert status == 200, told

"""Promise: people who use MCP servers through the gateway do so each with their own token, whatever happens in between,
and are asked for their consent in the way that their client understands. No credential of theirs goes upstream.

The authorization server is npm's oidc-provider, the clients are the SDK's.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import httpx
import httpx2
import jwt
import pytest
import pytest_asyncio
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ElicitRequestURLParams, ElicitResult, TextContent

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway

from .authorization_server import AuthorizationServer, authorization_server, sign_in
from .recording import RecordingUpstream, recording_upstream
from .signing_in import CONNECTED, agree

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them
Mode = Literal["legacy", "auto"]
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/connections/consent/\S+")


class World:
    """The server, two upstreams, the gateway, and the keys of two people."""

    def __init__(
        self, server: AuthorizationServer, upstreams: dict[str, RecordingUpstream], running: TestGateway
    ) -> None:
        self.server = server
        self.upstreams = upstreams
        self.running = running
        self.keys: dict[str, str] = {}
        self.asked: list[str] = []

    async def meet(self, user: str) -> None:
        """A new user of the gateway, with a key."""
        async with self.running.session.post("/user/new", json={"user_id": user}) as answer:
            self.keys[user] = (await answer.json())["key"]

    async def agree(self, link: str, user: str) -> httpx.Response:
        """A person opens a consent page, and goes all the way."""
        return await agree(link, self.keys[user], lambda url: sign_in(url, user))

    @asynccontextmanager
    async def client(
        self, user: str, path: str = "/mcp", mode: Mode = "auto", *, able: bool = True
    ) -> AsyncIterator[Client]:
        """The client of a person, who agrees whenever it asks; it asks only if it is `able`."""

        async def asked(context: Any, params: Any) -> ElicitResult:
            assert isinstance(params, ElicitRequestURLParams)
            self.asked.append(user)
            done = CONNECTED in (await self.agree(params.url, user)).text
            return ElicitResult(action="accept" if done else "cancel")

        async with (
            httpx2.AsyncClient(headers={"authorization": f"Bearer {self.keys[user]}"}, timeout=60) as http,
            Client(
                streamable_http_client(self.running.url + path, http_client=http),
                mode=mode,
                elicitation_callback=asked if able else None,
            ) as client,
        ):
            yield client

    def served(self, upstream: str) -> list[tuple[str, str]]:
        """What each call at an upstream said, and whose token it carried."""
        calls = self.upstreams[upstream].calls()
        carried = [call.header("authorization") for call in calls]
        return [
            (call.rpc["params"]["arguments"]["text"], subject_of(bearer))
            for call, bearer in zip(calls, carried, strict=True)
            if bearer is not None
        ]


@pytest_asyncio.fixture
async def world(gateway: StartGateway) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(authorization_server())
        upstreams = {name: await stack.enter_async_context(recording_upstream()) for name in ("files", "mail")}
        await server.allow(*(upstream.url for upstream in upstreams.values()))
        for upstream in upstreams.values():
            upstream.protect(server.url, "mcp:read")
        auth = {"mode": "authorization_code"}
        config = {
            "model_list": [],
            "mcp_servers": {name: {"url": upstream.url, "auth": auth} for name, upstream in upstreams.items()},
            "routeiq": {
                "egress": {"allow": ["127.0.0.0/8"]},
                "plugins": {"governance": {}, "oauth": {}, "mcp": {}},
            },
        }
        made = World(server, upstreams, await gateway(config))
        for user in server.users:
            await made.meet(user)
        yield made


def subject_of(bearer: str) -> str:
    claims = jwt.decode(bearer.removeprefix("Bearer "), options={"verify_signature": False})
    return str(claims["sub"])


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def echo(client: Client, tool: str, user: str) -> None:
    result = await client.call_tool(tool, {"text": user})
    assert not result.is_error, text_of(result)
    assert json.loads(text_of(result)) == {"text": user}


async def test_a_hundred_calls_of_two_people_at_two_upstreams_each_carry_their_own_token(world: World) -> None:
    async with world.client("alice") as alice, world.client("bob", mode="legacy") as bob:
        people = {"alice": alice, "bob": bob}
        ways = [(client, f"{upstream}-echo", user) for user, client in people.items() for upstream in world.upstreams]
        for way in ways:
            await echo(*way)
        assert sorted(world.asked) == ["alice", "alice", "bob", "bob"]
        await asyncio.gather(*(echo(*way) for _ in range(25) for way in ways))
    assert len(world.asked) == 4
    for name, upstream in world.upstreams.items():
        served = world.served(name)
        assert len(served) == 52
        assert all(said == subject for said, subject in served)
        assert not any(upstream.seen(secret) for secret in (*world.keys.values(), world.running.key))
        other = next(each.url for each in world.upstreams.values() if each is not upstream)
        bearers = {bearer for call in upstream.calls() if (bearer := call.header("authorization")) is not None}
        claims = [jwt.decode(bearer[7:], options={"verify_signature": False}) for bearer in bearers]
        assert {claim["aud"] for claim in claims} == {upstream.url} != {other}


async def test_a_token_that_ended_is_refreshed_once_for_fifty_calls(world: World) -> None:
    async with world.client("alice", "/files/mcp") as client:
        await world.server.lifetimes(access_seconds=1)
        await echo(client, "echo", "alice")
        await world.server.lifetimes(access_seconds=600)
        await asyncio.sleep(1.2)  # the server's clock is its own
        await world.server.reset_counts()
        await asyncio.gather(*(echo(client, "echo", "alice") for _ in range(50)))
    assert (await world.server.counts()).success == {"refresh_token": 1}
    assert world.asked == ["alice"]


async def test_an_absent_server_is_told_and_a_revoked_grant_is_asked_for_again(world: World) -> None:
    async with world.client("alice", "/files/mcp") as alice, world.client("bob", "/files/mcp") as bob:
        await echo(bob, "echo", "bob")
        await world.server.lifetimes(access_seconds=1)
        await echo(alice, "echo", "alice")
        await world.server.lifetimes(access_seconds=600)
        await asyncio.sleep(1.2)  # the server's clock is its own
        await world.server.fail()
        with pytest.raises(MCPError, match="Try again"):
            await alice.call_tool("echo", {"text": "alice"})
        await echo(bob, "echo", "bob")
        await world.server.fail(0)
        await echo(alice, "echo", "alice")
        await world.server.revoke_user("alice")
        files = world.upstreams["files"]
        bearer = files.calls()[-1].header("authorization")
        assert bearer is not None
        assert files.protection is not None
        files.protection.refused.add(bearer.removeprefix("Bearer "))
        assert [tool.name for tool in (await alice.list_tools(cache_mode="bypass")).tools] == ["echo", "whoami"]
        assert world.asked == ["bob", "alice"]
        await echo(alice, "echo", "alice")
        await echo(bob, "echo", "bob")
    assert world.asked == ["bob", "alice", "alice"]


async def test_a_link_that_somebody_else_opens_connects_nobody(world: World) -> None:
    async with world.client("alice", "/files/mcp", able=False) as alice:
        (link,) = _LINK.findall(text_of(await alice.call_tool("echo", {"text": "alice"})))
        refused = await world.agree(link, "bob")
        assert (refused.status_code, "asks somebody else" in refused.text) == (403, True)
        assert (await alice.call_tool("echo", {"text": "alice"})).is_error
        async with world.client("bob", "/files/mcp", able=False) as bob:
            assert (await bob.call_tool("echo", {"text": "bob"})).is_error
    assert world.served("files") == []
    assert (await world.server.counts()).authorization == 0


@ERAS
async def test_clients_that_can_be_asked_go_on_by_themselves(world: World, mode: Mode) -> None:
    async with world.client("alice", "/files/mcp", mode) as client:
        await echo(client, "echo", "alice")
    assert world.asked == ["alice"]


@ERAS
async def test_clients_that_cannot_be_asked_get_the_link_as_text(world: World, mode: Mode) -> None:
    async with world.client("alice", "/files/mcp", mode, able=False) as client:
        result = await client.call_tool("echo", {"text": "alice"})
        assert result.is_error
        (link,) = _LINK.findall(text_of(result))
        assert CONNECTED in (await world.agree(link, "alice")).text
        await echo(client, "echo", "alice")


async def test_what_each_version_of_the_protocol_is_told(world: World) -> None:
    told = {version: await asked_in(world, version) for version in ("2025-06-18", "2025-11-25", "2026-07-28")}
    old, middle, modern = told.values()
    assert old["result"]["isError"]
    assert _LINK.search(old["result"]["content"][0]["text"])
    assert (middle["method"], middle["params"]["mode"]) == ("elicitation/create", "url")
    assert middle["params"]["elicitationId"]
    assert modern["result"]["resultType"] == "input_required"
    (question,) = modern["result"]["inputRequests"].values()
    assert (question["method"], question["params"]["mode"]) == ("elicitation/create", "url")
    assert {_LINK.fullmatch(url) is not None for url in (middle["params"]["url"], question["params"]["url"])} == {True}


async def asked_in(world: World, version: str) -> dict[str, Any]:
    """The first word to a client of this version that calls a tool, and can be asked as far as its version knows."""
    capabilities: dict[str, Any] = {"elicitation": {} if version < "2025-11" else {"form": {}, "url": {}}}
    headers = {
        "authorization": f"Bearer {world.keys['alice']}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
    }
    call: dict[str, Any] = {"name": "echo", "arguments": {"text": "alice"}}
    async with httpx.AsyncClient(base_url=world.running.url, headers=headers, timeout=30) as http:
        if version > "2026":
            prefix = "io.modelcontextprotocol/"
            call["_meta"] = {f"{prefix}protocolVersion": version, f"{prefix}clientCapabilities": capabilities}
            http.headers.update({"mcp-method": "tools/call", "mcp-name": "echo"})
        else:
            client = {"name": "c", "version": "0"}
            said = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": client}
            opened = await http.post("/files/mcp", json=request("initialize", said))
            http.headers["mcp-session-id"] = opened.headers["mcp-session-id"]
        async with http.stream("POST", "/files/mcp", json=request("tools/call", call)) as stream:
            async for line in stream.aiter_lines():
                if line.removeprefix("data:").strip().startswith("{"):
                    first: dict[str, Any] = json.loads(line.removeprefix("data:"))
                    return first
    raise AssertionError("nothing was said")


def request(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

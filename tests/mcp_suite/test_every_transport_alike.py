"""The same server behind the gateway's own transports: whatever way it is reached, each tool says the same."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from routeiq.egress import Egress, EgressPolicy
from routeiq.handle import PluginEgress
from routeiq_mcp.seams import McpError
from routeiq_mcp.upstream import ServerSpec, SignedProgram, WatchedUpstream, open_upstream
from routeiq_mcp.upstream.signed import sign
from routeiq_sdk.testing import FakeGateway, make_context

from .eras import Eras
from .everything import Transport, command, everything

_KEY = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
_ARGUMENTS = {"prompt": "hi", "message": "m", "region": "north"}


class _Clock:
    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()


class _Peer:
    """A client that answers everything."""

    era = "modern"
    version = "2026-07-28"
    capabilities: Mapping[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
    info: Mapping[str, Any] = {"name": "alike", "version": "1"}
    log_level = None

    def __init__(self) -> None:
        self.progress: list[Any] = []
        self.asked: list[str] = []

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "notifications/progress":
            self.progress.append((params["progressToken"], params["progress"]))

    async def ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(method)
        if method == "elicitation/create":
            return {"action": "accept", "content": {"username": "x", "email": "a@b.example", "name": "n"}}
        if method == "roots/list":
            return {"roots": []}
        return {"role": "assistant", "content": {"type": "text", "text": "sampled"}, "model": "m"}


@asynccontextmanager
async def reached(transport: Transport, eras: Eras) -> AsyncIterator[WatchedUpstream]:
    """The everything server, by this transport."""
    gateway = FakeGateway("mcp")
    gateway.clock = _Clock()  # type: ignore[assignment]
    if transport == "stdio":
        gateway.keys_dir.mkdir(parents=True)
        (gateway.keys_dir / "operator.pub").write_bytes(base64.b64encode(_KEY.public_key().public_bytes_raw()))
        program, *args = command(eras, transport)
        made = SignedProgram(command=program, args=tuple(args))
        pem = _KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        signed = made.model_copy(update={"signature": sign("every", made, pem)})
        upstream = open_upstream(ServerSpec("every", "stdio", program=signed, trusted=True), gateway)
        try:
            yield upstream
        finally:
            await upstream.close()
            await gateway.aclose()
        return
    async with everything(eras, transport) as url, Egress(EgressPolicy.compile([url], ())) as egress:
        gateway.egress = PluginEgress(egress)  # type: ignore[assignment]
        upstream = open_upstream(ServerSpec("every", transport, url=url, trusted=True), gateway)
        try:
            yield upstream
        finally:
            await upstream.close()
            await gateway.aclose()


async def told(upstream: WatchedUpstream) -> tuple[dict[str, Any], _Peer]:
    """What each tool says, and what the client went through for it."""
    peer, said = _Peer(), dict[str, Any]()
    async with asyncio.timeout(60):
        for tool in (await upstream.request(make_context(), "tools/list", {}, peer))["tools"]:
            known = tool["inputSchema"].get("properties", {})
            arguments = {name: value for name, value in _ARGUMENTS.items() if name in known}
            params = {"name": tool["name"], "arguments": arguments, "_meta": {"progressToken": "mine"}}
            try:
                result = await upstream.request(make_context(), "tools/call", params, peer)
            except McpError as error:
                said[tool["name"]] = error.code
            else:
                said[tool["name"]] = (result["resultType"], result.get("isError"), result.get("content"))
    return said, peer


@pytest.mark.parametrize(("transport", "eras"), [("sse", "legacy"), ("stdio", "legacy"), ("stdio", "modern")])
async def test_each_tool_says_the_same_whatever_way_it_is_reached(transport: Transport, eras: Eras) -> None:
    async with reached("http", "modern" if eras == "modern" else "legacy") as upstream:
        expected, asked = await told(upstream)
    async with reached(transport, eras) as upstream:
        said, peer = await told(upstream)
        assert (await upstream.facts(make_context())).era == eras
        assert upstream.health.errors == 0
    assert len(said) > 25
    assert said == expected
    assert peer.progress == asked.progress
    assert {token for token, _ in peer.progress} == {"mine"}
    assert peer.asked == asked.asked
    if eras == "legacy":
        assert {"elicitation/create", "sampling/createMessage"} <= set(peer.asked)
    else:
        assert peer.asked == []
        assert "input_required" in {one[0] for one in said.values() if isinstance(one, tuple)}

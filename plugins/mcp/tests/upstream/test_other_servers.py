"""Servers that are not the SDK's newest: the transport of 2024-11-05, fastmcp's, and those inside the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastmcp import FastMCP
from fastmcp.server.context import Context as FastContext
from starlette.responses import JSONResponse
from starlette.types import Scope

from routeiq_mcp.seams import McpError
from routeiq_mcp.upstream import ServerSpec, WatchedUpstream, open_upstream
from routeiq_mcp.upstream.failures import Failure
from routeiq_sdk import Context, RequestError
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.values.tools import ToolServerError

from .parts import INBOUND, Client, caller, calling, text_of
from .servers import Gate, Mind, Recorder, sdk_server, serving

ADD = {"name": "add", "arguments": {"a": 1, "b": 2}}


@asynccontextmanager
async def old(gate: Gate | None = None, **spec: Any) -> AsyncIterator[tuple[WatchedUpstream, Recorder, Mind]]:
    mind = Mind()
    recorder = Recorder(sdk_server(mind).sse_app(), gate)
    async with serving(recorder) as base, calling(base) as gateway:
        made = {"url": f"{base}/sse", "trusted": True, **spec}
        upstream = open_upstream(ServerSpec("old", "sse", **made), gateway)
        try:
            yield upstream, recorder, mind
        finally:
            await upstream.close()


async def test_the_old_transport_works() -> None:
    async def answer(method: str, params: object) -> dict[str, Any]:
        return {"action": "accept", "content": {"name": "Ada"}}

    async with old() as (upstream, recorder, _), asyncio.timeout(30):
        assert (await upstream.facts(caller())).era == "legacy"
        assert text_of(await upstream.request(caller(), "tools/call", ADD, Client())) == "3"
        client = Client(answer)
        greeted = await upstream.request(caller(), "tools/call", {"name": "greet", "arguments": {}}, client)
        assert text_of(greeted) == "hello Ada"
        steps = {"name": "steps", "arguments": {"count": 2}, "_meta": {"progressToken": "mine"}}
        await upstream.request(caller(), "tools/call", steps, client)
        assert client.progress() == [0, 1]
        assert recorder.of("server/discover") == []
        assert not any(INBOUND in one.text for one in recorder.seen)


async def test_two_callers_have_streams_of_their_own() -> None:
    async with old() as (upstream, recorder, _), asyncio.timeout(30):
        for name in ("alice", "bob", "alice"):
            await upstream.request(caller(name), "tools/call", ADD, Client())
        assert len([one for one in recorder.seen if one.path == "/sse"]) == 2


async def test_a_caller_who_goes_away_is_told() -> None:
    async with old() as (upstream, recorder, mind), asyncio.timeout(30):
        waits = {"name": "waits", "arguments": {}}
        asking = asyncio.ensure_future(upstream.request(caller(), "tools/call", waits, Client()))
        await mind.started.wait()
        asking.cancel()
        await mind.cancelled.wait()
        assert len(recorder.of("notifications/cancelled")) == 1


async def test_a_stream_that_the_server_forgot_is_opened_anew_once() -> None:
    forgotten: list[bool] = []

    def forgets(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
        if rpc.get("method") == "tools/call" and not forgotten:
            forgotten.append(True)
            return JSONResponse({}, 404)
        return None

    async with old(forgets) as (upstream, recorder, _), asyncio.timeout(30):
        assert text_of(await upstream.request(caller(), "tools/call", ADD, Client())) == "3"
        assert len(recorder.of("initialize")) == 2


async def test_messages_are_never_posted_to_another_origin() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        event = b"event: endpoint\ndata: http://169.254.169.254/messages\n\n"
        await send({"type": "http.response.body", "body": event, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(app) as base, calling(base) as gateway, asyncio.timeout(30):
        upstream = open_upstream(ServerSpec("old", "sse", url=f"{base}/sse", trusted=True), gateway)
        with pytest.raises(Failure) as caught:
            await upstream.facts(caller())
        assert caught.value.kind == "protocol"
        assert "another origin" in caught.value.message


async def test_fastmcp_is_spoken_to() -> None:
    server: FastMCP[Any] = FastMCP("fast")

    @server.tool
    def add(a: int, b: int) -> int:
        return a + b

    @server.tool
    async def steps(ctx: FastContext) -> str:
        await ctx.report_progress(1, 2)
        return "done"

    recorder = Recorder(server.http_app(path="/mcp"))
    async with serving(recorder) as base, calling(base) as gateway, asyncio.timeout(30):
        upstream = open_upstream(ServerSpec("fast", url=f"{base}/mcp", trusted=True), gateway)
        assert (await upstream.facts(caller())).info["name"] == "fast"
        listed = await upstream.request(caller(), "tools/list", {}, Client())
        assert {tool["name"] for tool in listed["tools"]} == {"add", "steps"}
        result = await upstream.request(caller(), "tools/call", ADD, Client())
        assert (text_of(result), result["structuredContent"]) == ("3", {"result": 3})
        client = Client()
        params = {"name": "steps", "arguments": {}, "_meta": {"progressToken": 1}}
        await upstream.request(caller(), "tools/call", params, client)
        assert client.progress() == [1]
        await upstream.close()


class Inside:
    """A server inside the gateway."""

    name = "inside"
    capabilities: Mapping[str, Any] = {"tools": {}, "extensions": {"io.modelcontextprotocol/skills": {}}}

    async def handle(self, ctx: Context, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if method == "tools/list":
            return {"tools": [], "who": ctx.principal.id}
        if method == "forbidden":
            raise RequestError(403, "not for you")
        raise ToolServerError(-32601, "no such method", {"method": method})


async def test_a_server_inside_the_gateway_is_one_like_the_others() -> None:
    gateway = FakeGateway("mcp")
    upstream = open_upstream(ServerSpec("inside", "inside", inside=Inside()), gateway)
    assert (await upstream.facts(caller())).capabilities == Inside.capabilities
    listed = await upstream.request(caller("bob"), "tools/list", {}, Client())
    assert listed == {"tools": [], "who": "bob", "resultType": "complete"}
    with pytest.raises(McpError) as caught:
        await upstream.request(caller(), "other", {}, Client())
    assert (caught.value.code, caught.value.data) == (-32601, {"method": "other"})
    with pytest.raises(RequestError):
        await upstream.request(caller(), "forbidden", {}, Client())
    assert [one async for one in upstream.listen(caller(), {"toolsListChanged": True})] == []
    assert upstream.health.errors == 0
    await upstream.close()

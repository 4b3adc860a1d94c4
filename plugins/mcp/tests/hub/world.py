"""Scripted servers and a hub over them, without a wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from routeiq_mcp.config import McpConfig
from routeiq_mcp.hub.hub import Hub
from routeiq_mcp.hub.lists import KEYS, Silent
from routeiq_mcp.seams import Json, McpError, Peer, ServerFacts
from routeiq_sdk import Context, Principal
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.values.http import Headers, HttpRequest, HttpResponse

NOBODY: Peer = Silent()


def tool(name: str, description: str = "does it", **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"type": "object"}, **fields}


def text_result(text: str, **fields: Any) -> dict[str, Any]:
    return {"resultType": "complete", "content": [{"type": "text", "text": text}], **fields}


class Scripted:
    """A server that says what the test gave it. `asked` shows what it was asked."""

    def __init__(self, name: str, *tools: Json, **lists: Any) -> None:
        self.name = name
        self.lists: dict[str, list[Any]] = {"tools": list(tools), **lists}
        self.hints: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None
        self.page = 10_000
        self.closed = False
        self.hold: asyncio.Event | None = None
        self.notes: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()
        self.wanted: list[Json] = []
        self.answer: Callable[[Context, str, Json], Json] = lambda ctx, method, params: text_result(
            f"{self.name}/{params.get('name') or params.get('uri')}"
        )
        self.per_caller: Callable[[Context], list[Json]] | None = None
        self.capabilities: dict[str, Any] = {"tools": {}}
        self.info: dict[str, Any] = {"name": name, "version": "1"}
        self.instructions: str | None = None

    async def facts(self, ctx: Context) -> ServerFacts:
        if self.error is not None:
            raise self.error
        return ServerFacts(self.capabilities, self.info, self.instructions, "modern", ("v",))

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        self.asked.append((method, dict(params)))
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        if method not in KEYS:
            return self.answer(ctx, method, params)
        key = KEYS[method]
        if key not in self.lists:
            raise McpError(-32601, "Method not found")
        entries = self.per_caller(ctx) if self.per_caller is not None else self.lists[key]
        start = int(params.get("cursor", 0))
        more = start + self.page
        following = {"nextCursor": str(more)} if more < len(entries) else {}
        return {"resultType": "complete", key: entries[start:more], **self.hints, **following}

    async def listen(self, ctx: Context, wanted: Json) -> AsyncIterator[tuple[str, Json]]:
        self.wanted.append(wanted)
        while True:
            yield await self.notes.get()

    async def close(self) -> None:
        self.closed = True

    def count(self, method: str) -> int:
        return sum(asked == method for asked, _ in self.asked)


class World:
    """A hub over scripted servers."""

    def __init__(self, gateway: FakeGateway, config: Mapping[str, Any], scripted: Mapping[str, Scripted]) -> None:
        self.gateway = gateway
        self.scripted = dict(scripted)
        rows = {name: {"url": f"http://{name}.example/mcp"} for name in scripted}
        own = dict(config)
        rows = {name: {**row, **own.get("servers", {}).get(name, {})} for name, row in rows.items()}
        self.config = McpConfig.model_validate({**own, "servers": rows})
        self.opened: list[Any] = []
        self.hub = Hub(self.config, gateway, self._open)  # type: ignore[arg-type]

    def _open(self, spec: Any, gateway: Any) -> Any:
        self.opened.append(spec)
        return self.scripted.setdefault(spec.name, Scripted(spec.name))

    def __getitem__(self, name: str) -> Scripted:
        return self.scripted[name]

    async def ask(self, face: str | None, method: str, ctx: Context | None = None, **params: Any) -> Json:
        found = self.hub.faces.find(ctx or call(), face)
        assert found is not None, f"nobody is at {face}"
        return await found.request(ctx or call(), method, params, NOBODY)

    async def names(self, face: str | None, ctx: Context | None = None) -> list[str]:
        return [tool["name"] for tool in (await self.ask(face, "tools/list", ctx))["tools"]]

    async def text(self, face: str | None, tool: str, ctx: Context | None = None, **arguments: Any) -> str:
        result = await self.ask(face, "tools/call", ctx, name=tool, arguments=arguments)
        return str(result["content"][0]["text"])


@asynccontextmanager
async def world(*scripted: Scripted, gateway: FakeGateway | None = None, **config: Any) -> AsyncIterator[World]:
    """A hub that is open. What is given of `servers` is laid over the rows."""
    own = gateway is None
    gateway = gateway or FakeGateway("mcp")
    made = World(gateway, config, {each.name: each for each in scripted})
    try:
        await made.hub.open()
        yield made
    finally:
        await made.hub.close()
        if own:
            await gateway.aclose()


def call(principal: Principal | None = None, **headers: str) -> Context:
    """A request of somebody. Headers are given with `_` for `-`."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_context(principal=principal or Principal("key-1"), headers=told, route="/mcp")


def http(
    method: str = "GET", body: bytes = b"", query: Mapping[str, str] | None = None, **path_params: str
) -> HttpRequest:
    """A request to a route."""
    ctx = call()
    return HttpRequest(
        method=method,
        path="/",
        path_params=path_params,
        query=query or {},
        headers=Headers([]),
        body=body,
        principal=ctx.identified,
        queries=tuple((query or {}).items()),
        context=ctx,
    )


def answered(response: HttpResponse) -> Any:
    """The JSON of an answer."""
    import json

    assert isinstance(response.body, bytes)
    return json.loads(response.body)

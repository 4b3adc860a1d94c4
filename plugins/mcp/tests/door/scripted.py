"""Faces that do what a test says, and a gateway around them without a core: real HTTP, one or more replicas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import uvicorn

from routeiq_mcp.door import Door, DoorOptions
from routeiq_mcp.seams import Json, McpError, Peer, ServerFacts
from routeiq_sdk import Context, Principal, RequestError
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.values.http import Headers, HttpRequest, HttpResponse

KEY = b"k" * 32
MODERN = "2026-07-28"
BOTH = {"accept": "application/json, text/event-stream", "content-type": "application/json"}

Tool = Callable[[Json, Peer], Awaitable[Mapping[str, Any]]]


def text(value: str, **more: Any) -> dict[str, Any]:
    """A tool's result."""
    return {"content": [{"type": "text", "text": value}], "resultType": "complete", **more}


class ScriptedFace:
    """A server whose tools are functions. `asked` are the requests that came, `changes` what listeners are told."""

    def __init__(self, name: str = "mcp") -> None:
        self.name = name
        self.tools: dict[str, Tool] = {"echo": _echo}
        self.schemas: dict[str, Any] = {}
        self.asked: list[tuple[str, Json]] = []
        self.contexts: list[Context] = []
        self.listeners: dict[int, tuple[Json, asyncio.Queue[tuple[str, Json] | None]]] = {}
        self.listening = asyncio.Condition()
        self.failure: BaseException | None = None

    async def facts(self, ctx: Context) -> ServerFacts:
        if self.failure is not None:
            raise self.failure
        return ServerFacts(
            {"tools": {"listChanged": True}, "resources": {"subscribe": True}, "prompts": {}, "logging": {}},
            {"name": "scripted", "version": "1"},
            "Do as the script says.",
        )

    def definition(self, name: str) -> dict[str, Any]:
        return {"name": name, "inputSchema": self.schemas.get(name, {"type": "object"})}

    async def tool(self, ctx: Context, name: str) -> Json | None:
        return self.definition(name) if name in self.tools else None

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        self.asked.append((method, params))
        self.contexts.append(ctx)
        if self.failure is not None:
            raise self.failure
        if method == "tools/list":
            return {"tools": [self.definition(name) for name in sorted(self.tools)], "resultType": "complete"}
        if method == "tools/call":
            tool = self.tools.get(params["name"])
            if tool is None:
                raise McpError(-32602, f"unknown tool {params['name']}")
            return await tool(params, peer)
        if method == "prompts/list":
            return {"prompts": [], "resultType": "complete", "ttlMs": 5000, "cacheScope": "public"}
        if method == "resources/read":
            raise McpError(-32602, "Resource not found", {"uri": params["uri"]})
        raise McpError(-32601, f"no method {method}")

    async def listen(self, ctx: Context, wanted: Json) -> AsyncIterator[tuple[str, Json]]:
        queue: asyncio.Queue[tuple[str, Json] | None] = asyncio.Queue()
        self.listeners[id(queue)] = (wanted, queue)
        await self._told()
        try:
            while (change := await queue.get()) is not None:
                yield change
        finally:
            del self.listeners[id(queue)]
            await self._told()

    async def _told(self) -> None:
        async with self.listening:
            self.listening.notify_all()

    async def listened(self, wish: Callable[[list[Json]], bool]) -> None:
        """Wait until those who listen want what `wish` says."""
        async with asyncio.timeout(5), self.listening:
            await self.listening.wait_for(lambda: wish([wanted for wanted, _ in self.listeners.values()]))

    def change(self, method: str, params: Json | None = None) -> None:
        """Tell all listeners, whatever they asked for."""
        for _, queue in self.listeners.values():
            queue.put_nowait((method, params or {}))

    def end(self) -> None:
        """End all subscriptions."""
        for _, queue in self.listeners.values():
            queue.put_nowait(None)


async def _echo(params: Json, peer: Peer) -> Mapping[str, Any]:
    return text(json.dumps(params.get("arguments")))


@dataclass
class OneFace:
    """The same face for everybody at every path in `names`."""

    face: ScriptedFace
    names: Mapping[str | None, ScriptedFace] = field(default_factory=dict)

    def find(self, ctx: Context, server: str | None) -> ScriptedFace | None:
        return self.names.get(server) if server is not None else self.face


class World:
    """Doors behind one address; every request goes to the next of them, unless `only` says which."""

    def __init__(self, doors: list[Door], faces: OneFace, gateways: list[FakeGateway]) -> None:
        self.doors = doors
        self.faces = faces
        self.face = faces.face
        self.gateways = gateways
        self.url = ""
        self.only: int | None = None
        self.served: list[int] = []
        self.gone = asyncio.Event()

    @property
    def gateway(self) -> FakeGateway:
        return self.gateways[0]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        number = len(self.served) % len(self.doors) if self.only is None else self.only
        self.served.append(number)
        door = self.doors[number]
        parts = scope["path"].strip("/").split("/")
        headers = Headers(scope["headers"])
        request = HttpRequest(
            scope["method"],
            scope["path"],
            {} if len(parts) == 1 else {"server": parts[0]},
            {},
            headers,
            body,
            Principal(headers.get("x-caller", "somebody") or ""),
            context=make_context(),
        )
        handler = {"POST": door.post, "GET": door.get, "DELETE": door.delete}[scope["method"]]
        try:
            answer = await handler(request)
        except RequestError as error:
            answer = HttpResponse.json({"error": {"message": error.message}}, error.status, error.headers)
        await self._answer(answer, receive, send)

    async def _answer(self, answer: HttpResponse, receive: Any, send: Any) -> None:
        head = [(b"content-type", answer.media_type.encode())]
        head += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        if isinstance(answer.body, bytes):
            await send({"type": "http.response.body", "body": answer.body})
            return
        blocks = answer.body

        async def stream() -> None:
            async for block in blocks:
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        async def leave() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        tasks = [asyncio.create_task(stream()), asyncio.create_task(leave())]
        _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        close = getattr(blocks, "aclose", None)
        if close is not None:
            await close()
        self.gone.set()

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A bare HTTP client."""
        return httpx.AsyncClient(base_url=self.url, headers={**BOTH, **headers}, timeout=10)


@asynccontextmanager
async def serving(
    face: ScriptedFace | None = None,
    *,
    replicas: int = 1,
    names: Mapping[str | None, ScriptedFace] | None = None,
    **bounds: Any,
) -> AsyncIterator[World]:
    """Serve a face at `/mcp` over real HTTP, by as many replicas that share one state."""
    face = face or ScriptedFace()
    faces = OneFace(face, names or {})
    options = replace(DoorOptions(keys=(KEY,)), **bounds)
    gateways = [FakeGateway() for _ in range(replicas)]
    for gateway in gateways[1:]:
        gateway.clock, gateway.state = gateways[0].clock, gateways[0].state
    for gateway in gateways:
        gateway.delegation = None
    doors = [Door(faces, gateway, options) for gateway in gateways]  # type: ignore[arg-type]
    for door in doors:
        door.start()
    world = World(doors, faces, gateways)
    server = uvicorn.Server(uvicorn.Config(world, port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    world.url = f"http://127.0.0.1:{port}"
    try:
        yield world
    finally:
        for door in doors:
            await door.close()
        server.should_exit = True
        await serving
        for gateway in gateways:
            await gateway.aclose()


def envelope(version: str = MODERN, capabilities: Json | None = None, **more: Any) -> dict[str, Any]:
    """`_meta` of a modern request."""
    return {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": dict(capabilities or {}),
        "io.modelcontextprotocol/clientInfo": {"name": "bare", "version": "0"},
        **more,
    }


async def ask(
    client: httpx.AsyncClient,
    method: str,
    params: Json | None = None,
    *,
    id: Any = 1,
    capabilities: Json | None = None,
    headers: Mapping[str, str | None] | None = None,
    path: str = "/mcp",
    **meta: Any,
) -> httpx.Response:
    """A modern request with the headers that it needs, or those given instead (`None`: without)."""
    params = {**(params or {}), "_meta": envelope(MODERN, capabilities, **meta)}
    sent: dict[str, str | None] = {"mcp-protocol-version": MODERN, "mcp-method": method}
    named = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}.get(method)
    if named in params:
        sent["mcp-name"] = params[named]
    sent.update(headers or {})
    body = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    return await client.post(path, json=body, headers={k: v for k, v in sent.items() if v is not None})


def frames(answer: httpx.Response) -> list[dict[str, Any]]:
    """The JSON-RPC messages of an answer, however it came."""
    if answer.headers["content-type"] == "application/json":
        return [answer.json()]
    found = [line.removeprefix("data:").strip() for line in answer.text.splitlines() if line.startswith("data:")]
    return [json.loads(data) for data in found if data]


async def initialize(
    client: httpx.AsyncClient, version: str = "2025-11-25", capabilities: Json | None = None, path: str = "/mcp"
) -> str:
    """Open a legacy session and give its id; the client sends it from now on."""
    params = {
        "protocolVersion": version,
        "capabilities": dict(capabilities or {}),
        "clientInfo": {"name": "bare", "version": "0"},
    }
    answer = await client.post(path, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["protocolVersion"] == version
    session = answer.headers["mcp-session-id"]
    client.headers["mcp-session-id"] = session
    client.headers["mcp-protocol-version"] = version
    return session


async def legacy(client: httpx.AsyncClient, method: str, params: Json | None = None, id: Any = 1) -> httpx.Response:
    """A legacy request."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        body["params"] = params
    return await client.post("/mcp", json=body)

"""Real servers on real sockets: the SDK's own in both eras, and what keeps every request that came to one."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore
from pydantic import BaseModel
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Gate = Callable[[Scope, dict[str, Any]], JSONResponse | None]


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """`app` on a loopback port; streams that are open at the end are cut."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    server = _Quiet(uvicorn.Config(app, http="h11", log_level="critical", timeout_graceful_shutdown=0))
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def rpc(self) -> dict[str, Any]:
        try:
            read = json.loads(self.body)
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}

    @property
    def text(self) -> str:
        return f"{self.method} {self.path} {self.headers} {self.body.decode(errors='replace')}"


@dataclass
class Recorder:
    """An application around another that keeps what comes in. `gate` may answer instead."""

    app: ASGIApp
    gate: Gate | None = None
    seen: list[Seen] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        one = Seen(scope["method"], scope["path"], headers, bytes(body))
        self.seen.append(one)
        answer = self.gate(scope, one.rpc) if self.gate is not None else None
        if answer is not None:
            await answer(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self.app(scope, replay, send)

    def of(self, method: str) -> list[Seen]:
        """The requests that carried this method."""
        return [one for one in self.seen if one.rpc.get("method") == method]


def legacy_only(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
    """As a server does that was written before 2026-07-28."""
    headers = dict(scope["headers"])
    if headers.get(b"mcp-protocol-version") == b"2026-07-28":
        error = {"code": -32600, "message": "Bad Request: Unsupported protocol version"}
        return JSONResponse({"jsonrpc": "2.0", "id": "server-error", "error": error}, 400)
    return None


def modern_only(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
    """As a server does that has no handshake."""
    headers = dict(scope["headers"])
    if headers.get(b"mcp-protocol-version") == b"2026-07-28":
        return None
    error = {
        "code": -32022,
        "message": "Unsupported protocol version",
        "data": {"supported": ["2026-07-28"], "requested": "2025-11-25"},
    }
    return JSONResponse({"jsonrpc": "2.0", "id": rpc.get("id"), "error": error}, 400)


class Answer(BaseModel):
    """What a user is asked for."""

    name: str


class MemoryEvents(EventStore):
    """Keeps all events of all streams."""

    def __init__(self) -> None:
        self._events: list[tuple[str, Any]] = []

    async def store_event(self, stream_id: str, message: Any) -> str:
        self._events.append((stream_id, message))
        return str(len(self._events) - 1)

    async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
        place = int(last_event_id)
        stream = self._events[place][0]
        for number, (other, message) in enumerate(self._events[place + 1 :], start=place + 1):
            if other == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


class Mind:
    """What a test server remembers, and the doors that a test opens for it."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.go = asyncio.Event()


def sdk_server(mind: Mind | None = None) -> MCPServer[Any]:
    """A server with a tool for each promise."""
    mind = mind or Mind()
    server: MCPServer[Any] = MCPServer("field", version="1.2.3", instructions="Be kind.")

    @server.tool()
    def add(a: int, b: int) -> str:
        """Adds."""
        return str(a + b)

    @server.tool()
    async def steps(ctx: Context, count: int) -> str:
        """Tells its progress."""
        for step in range(count):
            await ctx.report_progress(step, count)
        return "done"

    @server.tool()
    async def greet(ctx: Context) -> str:
        """Asks for a name."""
        answer = await ctx.elicit("who are you?", Answer)
        return f"hello {answer.data.name}" if answer.action == "accept" else "nobody"

    @server.tool()
    async def greet_aside(ctx: Context) -> str:
        """Asks for a name, on the session's own stream, as servers do that do not say to what a question belongs."""
        schema = {"type": "object", "properties": {"name": {"type": "string"}}}
        answer = await ctx.session.elicit_form("who are you?", schema)
        return f"hello {(answer.content or {}).get('name')}" if answer.action == "accept" else "nobody"

    @server.tool()
    async def waits() -> str:
        """Waits for the test."""
        mind.started.set()
        try:
            await mind.go.wait()
        except BaseException:
            mind.cancelled.set()
            raise
        return "went on"

    @server.tool()
    async def breaks_off(ctx: Context) -> str:
        """Closes its own stream half-way, as a server does that wants to be asked again later."""
        await ctx.close_sse_stream()
        return "resumed"

    @server.tool()
    def fails() -> str:
        """Fails."""
        raise ValueError("the tool is broken")

    @server.resource("field://note")
    def note() -> str:
        """A note."""
        return "noted"

    @server.tool()
    async def changes(ctx: Context) -> str:
        """Says that the list of tools is another."""
        await ctx.notify_tools_changed()
        await ctx.session.send_tool_list_changed()
        return "told"

    return server

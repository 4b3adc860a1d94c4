"""An MCP server over HTTP that keeps every byte that reaches it and misbehaves as a test wishes.

How it misbehaves stands in `troubles`, how it asks for tokens in `resource_server`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .asking import Context
from .eras import Eras, gated
from .resource_server import ResourceServer
from .serving import serving
from .troubles import Trouble

_ANYTHING: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
ECHO = Tool(name="echo", description="Returns its arguments", input_schema=_ANYTHING)
WHOAMI = Tool(name="whoami", description="Returns the claims of the bearer", input_schema={"type": "object"})


def poisoned(text: str) -> Tool:
    """A tool whose description says `text` to the model that reads it."""
    return Tool(name="echo", description=text, input_schema=_ANYTHING)


def other_each_time(listed: int) -> Sequence[Tool]:
    """The tools of the list after `listed` lists: the argument's name is new in each."""
    schema = {"type": "object", "properties": {f"argument_{listed}": {"type": "string"}}}
    return [Tool(name="echo", description="Returns its arguments", input_schema=schema)]


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def rpc(self) -> dict[str, Any]:
        """The message in the body; empty where there is none."""
        return _message(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def text(self) -> str:
        """All of it, to look for what must not be there."""
        lines = [f"{self.method} {self.path}?{self.query}", *(f"{name}: {value}" for name, value in self.headers)]
        return "\n".join(lines) + "\n\n" + self.body.decode(errors="replace")


class RecordingUpstream:
    """A running upstream. `url` is its endpoint; what a test changes counts from the next request on:
    `trouble` befalls the messages named in `troubled` (all if it is empty), `tools` gives the list by how many were
    given before, `answers` replaces what a tool says, `protection` asks for bearers."""

    def __init__(self, eras: Eras) -> None:
        self.requests: list[Recorded] = []
        self.trouble: Trouble | None = None
        self.troubled: frozenset[str] = frozenset()
        self.tools: Callable[[int], Sequence[Tool]] = lambda listed: [ECHO, WHOAMI]
        self.answers: dict[str, str] = {}
        self.protection: ResourceServer | None = None
        self.lists = 0
        self.url = ""
        self._port = 0
        self._eras = eras
        self._running = AsyncExitStack()

    def protect(self, issuer: str, *scopes: str) -> ResourceServer:
        """Ask for tokens of `issuer` whose audience is this upstream."""
        self.protection = ResourceServer(self.url, issuer, scopes)
        return self.protection

    def misbehave(self, trouble: Trouble | None, *methods: str) -> None:
        """Let `trouble` befall the messages named, all without names; `None` ends it."""
        self.trouble, self.troubled = trouble, frozenset(methods)

    def seen(self, text: str) -> list[Recorded]:
        """The requests that hold `text` anywhere."""
        return [request for request in self.requests if text in request.text]

    def calls(self, method: str = "tools/call") -> list[Recorded]:
        return [request for request in self.requests if request.rpc.get("method") == method]

    async def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._running = AsyncExitStack()
        app = gated(self._server().streamable_http_app(), self._eras)
        base = await self._running.enter_async_context(serving(self._watched(app), self._port))
        self._port = int(base.rpartition(":")[2])
        self.url = f"{base}/mcp"

    async def die(self) -> None:
        """Refuse connections, until it is started again: sessions are forgotten."""
        await self._running.aclose()

    def _server(self) -> Server[Any]:
        return Server(
            "recording",
            version="1.0.0",
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            get_tool_input_schema=lambda name: None,
        )

    async def _list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        tools = list(self.tools(self.lists))
        self.lists += 1
        return ListToolsResult(tools=tools)

    async def _call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        if params.name in self.answers:
            text = self.answers[params.name]
        elif params.name == "whoami":
            text = json.dumps(context.request.scope.get("routeiq.claims", {}) if context.request else {})
        elif params.name == "echo":
            text = json.dumps(params.arguments or {}, sort_keys=True)
        else:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        return CallToolResult(content=[TextContent(text=text)])

    def _watched(self, app: ASGIApp) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            recorded = await _recorded(scope, receive)
            self.requests.append(recorded)
            refusal = await self._refusal(recorded, scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            method = recorded.rpc.get("method")
            suffers = not self.troubled or method in self.troubled
            if self.trouble is not None and suffers and await self.trouble(recorded.rpc, receive, send):
                return
            await app(scope, _replayed(recorded.body, receive), send)

        return serve

    async def _refusal(self, recorded: Recorded, scope: Scope) -> Response | None:
        if self.protection is None:
            return None
        document = self.protection.document(recorded.path)
        if document is not None:
            return document
        checked = await self.protection.check(recorded.header("authorization"))
        if isinstance(checked, Response):
            return checked
        scope["routeiq.claims"] = checked
        return None


@asynccontextmanager
async def recording_upstream(eras: Eras = "both") -> AsyncIterator[RecordingUpstream]:
    """An upstream of its own for one test, which behaves until it is told not to."""
    upstream = RecordingUpstream(eras)
    await upstream.start()
    try:
        yield upstream
    finally:
        await upstream.die()


async def _recorded(scope: Scope, receive: Receive) -> Recorded:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    query = scope["query_string"].decode("latin-1")
    return Recorded(scope["method"], scope["path"], query, headers, bytes(body))


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _message(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}

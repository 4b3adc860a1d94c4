"""An MCP server that talks while a tool runs: it tells things, asks its client, and hears the answers, in either era.

What it says is each test's; whether it gets through is judged there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp.client.session import ClientRequestContext
from mcp_types import CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, TextContent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ..mcp_suite.serving import serving
from .tool_field import DONE, SERVER_INFO, TOOL, VERSION

LEGACY = "2025-11-25"
STATE = "state-of-the-server"


def form(message: str = "Your name?", **property: Any) -> dict[str, Any]:
    """A question by form. `property` is what is said of its field."""
    schema = {"type": "object", "properties": {"name": {"type": "string", **property}}}
    return {"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}}


def prompt(text: str = "Say hi.", **params: Any) -> dict[str, Any]:
    """A question to the client's model."""
    message = {"role": "user", "content": {"type": "text", "text": text}}
    return {"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": 10, **params}}


def note(method: str, **params: Any) -> dict[str, Any]:
    """A notification."""
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}


@dataclass
class TalkingServer:
    """`tells` are its notifications (progress gets the client's token), `asks` its question, `error` what it answers
    instead of a result and `list_error` instead of a list, `title` its own; `heard` are the answers to its questions
    and what it was told instead, as JSON."""

    tells: Sequence[Mapping[str, Any]] = ()
    asks: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    list_error: Mapping[str, Any] | None = None
    title: str = "Talks"
    heard: list[str] = field(default_factory=list)
    calls: int = 0
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)

    async def modern(self, request: Request) -> Response:
        rpc = await request.json()
        params, id = rpc.get("params", {}), rpc.get("id")
        if rpc["method"] == "server/discover":
            meta = {SERVER_INFO: self._info}
            facts = {"supportedVersions": [VERSION], "capabilities": {"tools": {}}}
            return _answer(id, {"resultType": "complete", "_meta": meta, **facts})
        if rpc["method"] == "tools/list":
            return self._list(id)
        self.calls += 1
        if "inputResponses" in params:
            assert params["requestState"] == STATE
            self.heard.append(json.dumps(params["inputResponses"]))
            return _answer(id, {"resultType": "complete", **DONE})
        if self.asks is None:
            result: dict[str, Any] = {"resultType": "complete", **DONE}
        else:
            result = {"resultType": "input_required", "inputRequests": {"q": dict(self.asks)}, "requestState": STATE}
        return StreamingResponse(self._stream(rpc, result), media_type="text/event-stream")

    async def legacy(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405)
        rpc = await request.json()
        method, id = rpc.get("method"), rpc.get("id")
        if method is None:
            self.waiting.pop(id).set_result(rpc.get("result", rpc.get("error")))
        if method is None or id is None:
            return Response(status_code=202)
        if method == "initialize":
            facts = {"capabilities": {"tools": {}, "logging": {}}, "serverInfo": self._info}
            return _answer(id, {"protocolVersion": LEGACY, **facts})
        if method == "tools/list":
            return self._list(id)
        if method != "tools/call":
            return _answer(id, {})
        self.calls += 1
        return StreamingResponse(self._stream(rpc, DONE, ask=True), media_type="text/event-stream")

    @property
    def _info(self) -> dict[str, Any]:
        return {"name": "talking", "version": "1", "title": self.title}

    def _list(self, id: Any) -> Response:
        if self.list_error is not None:
            return JSONResponse({"jsonrpc": "2.0", "id": id, "error": dict(self.list_error)})
        return _answer(id, {"resultType": "complete", "ttlMs": 0, "tools": [TOOL]})

    async def _stream(self, rpc: Mapping[str, Any], result: Mapping[str, Any], ask: bool = False) -> AsyncIterator[str]:
        token = rpc["params"].get("_meta", {}).get("progressToken")
        for told in self.tells:
            own = {"progressToken": token} if told["method"] == "notifications/progress" else {}
            yield _event({**told, "params": {**told["params"], **own}})
        if ask and self.asks is not None:
            id = f"q-{self.calls}"
            self.waiting[id] = asyncio.get_running_loop().create_future()
            answered = self.waiting[id]
            yield _event({"jsonrpc": "2.0", "id": id, **self.asks})
            self.heard.append(json.dumps(await answered))
        said = {"error": dict(self.error)} if self.error is not None else {"result": dict(result)}
        yield _event({"jsonrpc": "2.0", "id": rpc["id"], **said})


def _answer(id: Any, result: Mapping[str, Any]) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": id, "result": dict(result)})


def _event(message: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(message)}\n\n"


@asynccontextmanager
async def talking_servers() -> AsyncIterator[tuple[TalkingServer, dict[str, Any]]]:
    """One server behind two addresses, and its rows of `mcp_servers`: `new` speaks the modern era, `old` the other."""
    server = TalkingServer()
    routes = [
        Route("/new", server.modern, methods=["POST"]),
        Route("/old", server.legacy, methods=["POST", "GET", "DELETE"]),
    ]
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(serving(Starlette(routes=routes)))
        row = {"transport": "http"}
        yield (
            server,
            {
                "new": {**row, "url": f"{base}/new"},
                "old": {**row, "url": f"{base}/old", "protocol_version": LEGACY},
            },
        )


@dataclass
class Person:
    """Who sits at the client: `heard` is all that the client was told and asked, as JSON; `name` and `words` are what
    is answered."""

    name: str = "Ada"
    words: str = "hi"
    heard: list[str] = field(default_factory=list)

    async def elicited(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        self.heard.append(params.model_dump_json(by_alias=True))
        return ElicitResult(action="accept", content={"name": self.name})

    async def sampled(self, context: ClientRequestContext, params: CreateMessageRequestParams) -> CreateMessageResult:
        self.heard.append(params.model_dump_json(by_alias=True))
        return CreateMessageResult(role="assistant", content=TextContent(type="text", text=self.words), model="m")

    async def logged(self, params: Any) -> None:
        self.heard.append(params.model_dump_json(by_alias=True))

    async def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append(f"{progress} {message}")

    @property
    def callbacks(self) -> dict[str, Any]:
        """For the SDK's client."""
        return {
            "elicitation_callback": self.elicited,
            "sampling_callback": self.sampled,
            "logging_callback": self.logged,
            "log_level": "info",
        }

"""An MCP server that offers what the conformance suite asks for, in both eras or in one, over HTTP, HTTP+SSE or stdio.

`async with everything() as url` runs it in this process, `python -m tests.mcp_suite.everything --port 0` in one of its
own. What it offers stands in `everything_tools` and `everything_offers`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.runner import serve_loop
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    UNSUPPORTED_PROTOCOL_VERSION,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    UnsubscribeRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from .asking import Call, Context, NeedsInput, ToolFault, asked_for_what_is_deprecated
from .eras import Eras, gated
from .event_log import EventLog
from .everything_offers import PROMPTS, RESOURCES, TEMPLATES, complete, messages, read
from .everything_tools import TOOLS
from .serving import serving

NAME = "everything"
Transport = Literal["http", "sse", "stdio"]
TESTS = Path(__file__).resolve().parents[1]
_MODULE = "mcp_suite.everything"
_RETRY_MILLISECONDS = 100
_PUBLIC = CacheHint(ttl_ms=60_000, scope="public")
_CACHED = ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read")
_STARTING_SECONDS = 60.0


class EverythingServer(Server[Any]):
    """The server; `eras` is what it serves on stream transports, HTTP has a gate of its own."""

    def __init__(self, eras: Eras = "both") -> None:
        self.bus = InMemorySubscriptionBus()
        with asked_for_what_is_deprecated():
            super().__init__(
                NAME,
                version="1.0.0",
                instructions="Offers what the conformance suite asks for.",
                cache_hints=dict.fromkeys(_CACHED, _PUBLIC),  # type: ignore[arg-type]
                on_list_tools=self._list_tools,
                on_call_tool=self._call_tool,
                on_list_resources=self._list_resources,
                on_list_resource_templates=self._list_templates,
                on_read_resource=self._read_resource,
                on_subscribe_resource=self._subscribe,
                on_unsubscribe_resource=self._unsubscribe,
                on_subscriptions_listen=ListenHandler(self.bus),
                on_list_prompts=self._list_prompts,
                on_get_prompt=self._get_prompt,
                on_completion=self._complete,
                on_set_logging_level=self._set_level,
            )
        self.eras = eras
        self.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME))
        if eras == "modern":
            self.middleware.append(_no_handshake)

    def create_initialization_options(self, *_: Any, **__: Any) -> InitializationOptions:
        changes = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
        return super().create_initialization_options(changes)

    async def run_on(self, reading: Any, writing: Any) -> None:
        """Serve one connection of a stream transport."""
        options = self.create_initialization_options()
        if self.eras == "legacy":
            async with self.lifespan(self) as state:
                await serve_loop(self, reading, writing, lifespan_state=state, init_options=options)
        else:
            await self.run(reading, writing, options)

    async def _list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[listed for listed, _ in TOOLS.values()])

    async def _call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        if params.name not in TOOLS:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        try:
            said = await TOOLS[params.name][1](Call(context, params.arguments or {}, params), self.bus)
        except NeedsInput as need:
            return need.result
        except ToolFault as fault:
            return CallToolResult(content=[TextContent(text=str(fault))], is_error=True)
        return CallToolResult(content=[TextContent(text=said)] if isinstance(said, str) else said)

    async def _list_resources(self, context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=RESOURCES)

    async def _list_templates(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=TEMPLATES)

    async def _read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return ReadResourceResult(contents=[read(params.uri)])

    async def _subscribe(self, context: Context, params: SubscribeRequestParams) -> EmptyResult:
        return EmptyResult()

    async def _unsubscribe(self, context: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        return EmptyResult()

    async def _list_prompts(self, context: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
        return ListPromptsResult(prompts=[listed for listed, _ in PROMPTS.values()])

    async def _get_prompt(
        self, context: Context, params: GetPromptRequestParams
    ) -> GetPromptResult | InputRequiredResult:
        if params.name not in PROMPTS:
            raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.name}")
        try:
            blocks = await PROMPTS[params.name][1](Call(context, params.arguments or {}, params))
        except NeedsInput as need:
            return need.result
        except ToolFault as fault:
            raise MCPError(INVALID_PARAMS, str(fault)) from fault
        return GetPromptResult(messages=messages(blocks))

    async def _complete(self, context: Context, params: CompleteRequestParams) -> CompleteResult:
        return CompleteResult(completion=complete(params.argument.value))

    async def _set_level(self, context: Context, params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()


def http_app(eras: Eras = "both", *, json_response: bool = False) -> ASGIApp:
    """Streamable HTTP at `/mcp`."""
    app = EverythingServer(eras).streamable_http_app(
        event_store=EventLog(), retry_interval=_RETRY_MILLISECONDS, json_response=json_response
    )
    return gated(app, eras)


def sse_app(eras: Eras = "both") -> ASGIApp:
    """The transport of 2024-11-05: a stream at `/sse`, messages posted beside it."""
    server = EverythingServer(eras)
    transport = SseServerTransport("/messages/")

    async def stream(request: Request) -> Response:
        async with transport.connect_sse(request.scope, request.receive, request._send) as (reading, writing):
            await server.run_on(reading, writing)
        return Response()

    return Starlette(routes=[Route("/sse", stream), Mount("/messages/", app=transport.handle_post_message)])


@asynccontextmanager
async def everything(
    eras: Eras = "both", transport: Transport = "http", *, port: int = 0, json_response: bool = False
) -> AsyncIterator[str]:
    """The server in this process; yields the URL of its endpoint."""
    app = sse_app(eras) if transport == "sse" else http_app(eras, json_response=json_response)
    async with serving(app, port) as base:
        yield f"{base}/{'sse' if transport == 'sse' else 'mcp'}"


def command(eras: Eras = "both", transport: Transport = "http", port: int = 0) -> list[str]:
    """How the server is started in a process of its own, from any folder and without any variable."""
    options = ("--eras", eras, "--transport", transport, "--port", str(port))
    start = f"import runpy, sys; sys.path.insert(0, {str(TESTS)!r}); runpy.run_module({_MODULE!r}, run_name='__main__')"
    return [sys.executable, "-c", start, *options]


@asynccontextmanager
async def everything_process(eras: Eras = "both", transport: Transport = "http") -> AsyncIterator[str]:
    """The server in a process of its own; yields the URL of its endpoint."""
    process = await asyncio.create_subprocess_exec(
        *command(eras, transport), stdout=asyncio.subprocess.PIPE, process_group=0
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_STARTING_SECONDS):
            said = (await process.stdout.readline()).decode()
        assert said.startswith("listening on "), f"the everything-server did not start: {said!r}"
        yield said.removeprefix("listening on ").strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _no_handshake(ctx: Context, call_next: CallNext) -> HandlerResult:
    # On HTTP it carries the version of an era that has no such method: that is for the server to say.
    if ctx.method == "initialize" and ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        requested = (ctx.params or {}).get("protocolVersion", "")
        data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": requested}
        raise MCPError(UNSUPPORTED_PROTOCOL_VERSION, f"Unsupported protocol version: {requested}", data)
    return await call_next(ctx)


async def _main(eras: Eras, transport: Transport, port: int) -> None:
    if transport == "stdio":
        async with stdio_server() as (reading, writing):
            await EverythingServer(eras).run_on(reading, writing)
        return
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with everything(eras, transport, port=port) as url:
        print(f"listening on {url}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="An MCP server that offers what the conformance suite asks for.")
    parser.add_argument("--port", type=int, default=0, help="0 is a free one; the first line says which")
    parser.add_argument("--eras", choices=("both", "legacy", "modern"), default="both")
    parser.add_argument("--transport", choices=("http", "sse", "stdio"), default="http")
    given = parser.parse_args()
    asyncio.run(_main(given.eras, given.transport, given.port))

"""An MCP server of a bench, and fastmcp's proxy in front of one: `python mcp_apps.py upstream|fastmcp PORT [...]`.

The library's own server does the work of an upstream, so that what a gateway adds to it is seen.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn


def upstream(port: int, tools: int) -> None:
    """`echo`, and as many tools more as are asked for."""
    from mcp.server import CacheHint
    from mcp.server.lowlevel import Server
    from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

    text = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    key = {
        "type": "object",
        "properties": {"key": {"type": "string"}, "limit": {"type": "integer", "default": 10}},
        "required": ["key"],
    }
    told = "Look up an entry of the catalogue by its key; at most `limit` entries are told."
    offered = [Tool(name="echo", description="The text again.", input_schema=text)]
    offered += [Tool(name=f"look_up_{n:05}", description=told, input_schema=key) for n in range(tools)]
    whole = ListToolsResult(tools=offered)

    async def listed(ctx: Any, params: Any) -> ListToolsResult:
        return whole

    async def called(ctx: Any, params: Any) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=params.arguments["text"])])

    hints = {"tools/list": CacheHint(ttl_ms=60_000, scope="public")}
    app = Server("bench", on_list_tools=listed, on_call_tool=called, cache_hints=hints).streamable_http_app()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def fastmcp(port: int, url: str) -> None:
    """fastmcp's own proxy."""
    from fastmcp.server import create_proxy

    app = create_proxy(url, name="bench").http_app(path="/mcp")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    kind, number, rest = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if kind == "upstream":
        upstream(number, int(rest))
    else:
        fastmcp(number, rest)

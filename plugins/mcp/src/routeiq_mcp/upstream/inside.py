"""A server inside the gateway, which another plugin offers, as an `Upstream`: no wire, no session.

What it answers is its own business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from routeiq_mcp.seams import Era, Json, McpError, Peer, ServerFacts
from routeiq_mcp.upstream.words import as_modern
from routeiq_mcp.wire import versions
from routeiq_sdk import Context
from routeiq_sdk.values.tools import ToolServer, ToolServerError


class InsideUpstream:
    """Calls a `ToolServer` directly."""

    era: Era = "modern"
    version = versions.LATEST_MODERN

    def __init__(self, server: ToolServer) -> None:
        self._server = server

    @property
    def name(self) -> str:
        """The server's name."""
        return self._server.name

    async def facts(self, ctx: Context) -> ServerFacts:
        """What it can do."""
        return ServerFacts(self._server.capabilities, {"name": self.name, "version": "1"}, versions=versions.MODERN)

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """Ask it."""
        try:
            return as_modern(await self._server.handle(ctx, method, params))
        except ToolServerError as error:
            raise McpError(error.code, error.message, error.data) from None

    async def listen(self, ctx: Context, wanted: Json) -> AsyncGenerator[tuple[str, Json], None]:
        """It has nothing to say by itself."""
        return
        yield

    async def close(self) -> None:
        """Nothing is open."""

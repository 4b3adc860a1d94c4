"""One call of a server, down the road of tool calls, within the server's own limits.

What is called and what becomes of the answer is the business of whoever calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from routeiq_mcp.hub.limits import Limits
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_mcp.wire import codes
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.tools import ToolCall, ToolResult

Run = Callable[[ToolCall], Awaitable[ToolResult]]


class Walking:
    """Calls servers."""

    def __init__(self, gateway: Gateway, limits: Limits) -> None:
        self._gateway = gateway
        self._limits = limits

    async def call(self, ctx: Context, server: Server, call: ToolCall, run: Run) -> Json:
        """Walk a call. What the operator's rules refuse walks the road, too, for its record; it costs nothing."""
        async with AsyncExitStack() as stack:
            try:
                server.policy.check_parameters(call.tool, call.arguments)
                await stack.enter_async_context(self._limits.held(server))
            except RequestError as refusal:
                try:
                    return (await self._gateway.tools.call(ctx, replace(call, price=0), _refusing(refusal))).content
                except RequestError as error:
                    if error is refusal and error.status == 403:
                        raise refused(error) from None
                    raise
            return (await self._gateway.tools.call(ctx, call, run)).content

    async def ask(self, ctx: Context, server: Server, method: str, params: Json, peer: Peer) -> Json:
        """Ask the server itself, and note how it is doing."""
        try:
            result = await server.upstream.request(ctx, method, params, peer)
        except Exception as error:
            if not isinstance(error, McpError | RequestError) or hasattr(error, "kind"):
                server.note(error, self._gateway.clock.now_ns())  # `kind`: it is no answer of the server's
            raise
        server.note(None, self._gateway.clock.now_ns())
        return result


def refused(error: RequestError) -> McpError:
    """A refusal that another credential would not change, as an error of the protocol: of an HTTP status a client would
    never read why."""
    return McpError(codes.REFUSED, error.message, {"status": error.status, "code": error.code})


def attributes_of(face: FaceSpec, server: Server) -> dict[str, str]:
    """Facts of a call for its record."""
    found = {"auth_mode": server.auth_mode}
    if face.virtual:
        found["virtual_server"] = face.name
    facts = server.known_facts
    if facts is not None:
        found["upstream_era"] = facts.era
        if facts.versions:
            found["upstream_version"] = facts.versions[0]
    return found


def _refusing(refusal: RequestError) -> Run:
    async def run(call: ToolCall) -> ToolResult:
        raise refusal

    return run

"""One call of a server, down the road of tool calls, within the server's own limits.

What is called and what becomes of the answer is the business of whoever calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from routeiq_mcp.hub.conversation import ANSWERS, INPUT, Conversation, answers_in, heard
from routeiq_mcp.hub.limits import Limits
from routeiq_mcp.hub.lists import Silent
from routeiq_mcp.hub.server import PROTOCOL, Server
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.noting import noted
from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_mcp.wire import codes
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.tools import ToolCall, ToolResult

Run = Callable[[ToolCall], Awaitable[ToolResult]]
_STATE = "requestState"

_LONGEST_TARGET = 256
_OF_A_RESOURCE = frozenset({"resources/read", "resources/directory/read", "skills/get"})


class Walking:
    """Calls servers."""

    def __init__(self, gateway: Gateway, limits: Limits) -> None:
        self._gateway = gateway
        self._limits = limits

    async def permitted(self, ctx: Context, server: Server, tools: Sequence[str]) -> frozenset[str]:
        """Those of a server's tools (or methods) that the caller may use."""
        return await self._gateway.tools.permitted(
            ctx, PROTOCOL, server.name, tools, aliases=server.aliases, groups=server.groups
        )

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
            return await self._called(ctx, call, run)

    async def _called(self, ctx: Context, call: ToolCall, run: Run) -> Json:
        """A call with its guards. The state that a question carries is read by its server alone, so they do not see it:
        to them it would look like a secret."""
        tools = self._gateway.tools
        states: dict[str, Any] = {}

        async def asked(allowed: ToolCall) -> ToolResult:
            result = await heard(tools, ctx, allowed, run(allowed))
            if result.content.get("resultType") == INPUT and _STATE in result.content:
                content = dict(result.content)
                states[_STATE] = content.pop(_STATE)
                return replace(result, content=content)
            return result

        content = (await tools.call(ctx, call, asked)).content
        return {**content, **states} if content.get("resultType") == INPUT else content

    async def ask(self, ctx: Context, server: Server, method: str, params: Json, peer: Peer, allowed: ToolCall) -> Json:
        """Ask the server itself, in the course of the call that guards `allowed`, and note how it is doing."""
        if ANSWERS in params:
            params = {**params, ANSWERS: allowed.answers}
        if not isinstance(peer, Silent):  # nobody is there who would read what the server says meanwhile
            peer = Conversation(peer, self._gateway.tools, ctx, allowed, params)
        try:
            with noted(allowed.learned):
                result = await server.upstream.request(ctx, method, params, peer)
        except Exception as error:
            if isinstance(error, McpError):
                allowed.learned["rpc_status_code"] = str(error.code)
                if not hasattr(error, "kind"):
                    allowed.learned["upstream_rpc_status_code"] = str(error.code)
            if not isinstance(error, McpError | RequestError) or hasattr(error, "kind"):
                server.note(error, self._gateway.clock.now_ns())  # `kind`: it is no answer of the server's
            raise
        server.note(None, self._gateway.clock.now_ns())
        return result


def refused(error: RequestError) -> McpError:
    """A refusal that another credential would not change, as an error of the protocol: of an HTTP status a client would
    never read why."""
    return McpError(codes.REFUSED, error.message, {"status": error.status, "code": error.code})


def call_of(
    face: FaceSpec,
    server: Server,
    tool: str,
    arguments: Mapping[str, Any],
    params: Json,
    peer: Peer,
    *,
    method: str | None = None,
    price: int = 0,
) -> ToolCall:
    """A call of a tool through a face, as the road of tool calls takes it; of another `method` the tool's name is the
    method's. `params` are those of the client's request. Raises `McpError` for answers that are none."""
    return ToolCall(
        PROTOCOL,
        server.name,
        tool,
        arguments,
        price=price,
        attributes={**_attributes(face, server), **peer.facts, "method": method or tool, **_target(tool, arguments)},
        aliases=server.aliases,
        groups=server.groups,
        answers=answers_in(params),
    )


def without_envelope(params: Json) -> dict[str, Any]:
    """Params as arguments of a call: what guards see of them in another place is left out."""
    return {name: told for name, told in params.items() if name not in ("_meta", ANSWERS, _STATE)}


def _attributes(face: FaceSpec, server: Server) -> dict[str, str]:
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


def _target(method: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    """What is asked for, where that is no tool. A prompt is on a list that everybody reads; of a URI the parts that
    carry credentials are left out."""
    if method == "prompts/get":
        return {"prompt": str(arguments.get("name"))[:_LONGEST_TARGET]}
    if method in _OF_A_RESOURCE:
        return {"resource_uri": plain_uri(str(arguments.get("uri")))[:_LONGEST_TARGET]}
    return {}


def plain_uri(uri: str) -> str:
    """A URI without user, query and fragment."""
    scheme, colon, rest = uri.partition("#")[0].partition("?")[0].partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{colon}{authority.rpartition('@')[2]}{slash}{path}"


def _refusing(refusal: RequestError) -> Run:
    async def run(call: ToolCall) -> ToolResult:
        raise refusal

    return run

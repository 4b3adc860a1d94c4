"""Streamable HTTP without a handshake: each request is one POST that says all about itself.

Whether a server speaks this era is found out elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from typing import Any

from routeiq_mcp.noting import note
from routeiq_mcp.seams import Json, McpError, Peer, ServerFacts
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.calling import Answer, Caller, trace_headers, trace_of
from routeiq_mcp.upstream.messages import (
    POST_HEADERS,
    Cursor,
    Message,
    error_in,
    is_response,
    messages_of,
    outcome,
    request_bytes,
)
from routeiq_mcp.upstream.patience import Patience
from routeiq_mcp.upstream.tool_headers import ToolHeaders
from routeiq_mcp.upstream.words import as_modern, modern_meta, with_meta, without_subscription
from routeiq_mcp.wire import keys
from routeiq_mcp.wire.codes import HEADER_MISMATCH
from routeiq_mcp.wire.fields import written
from routeiq_sdk import Context

_MOST_PAGES = 20


class Declined(Exception):
    """The server answered with a status of 400 or more; `error` is the protocol's error that came with it."""

    def __init__(self, status: int, error: McpError | None) -> None:
        self.status = status
        self.error = error
        super().__init__(status)

    def for_caller(self, server: str) -> McpError:
        """What the caller is told."""
        return self.error or failures.status(server, self.status)


class ModernHttp:
    """A server's URL, spoken to in the modern era."""

    def __init__(self, caller: Caller, url: str, most_bytes: int) -> None:
        self._caller = caller
        self._url = url
        self._most = most_bytes
        self._ids = count(1)
        self._tools = ToolHeaders()

    async def discover(self, ctx: Context, version: str, patience: Patience, seconds: float) -> dict[str, Any]:
        """What `server/discover` answers, as it is. Raises `Declined`, `McpError`."""
        return await self._once(ctx, version, "server/discover", {}, None, patience, seconds)

    async def request(
        self,
        ctx: Context,
        version: str,
        method: str,
        params: Json,
        peer: Peer | None,
        patience: Patience,
        seconds: float,
    ) -> dict[str, Any]:
        """The result, in the words of the seam. Raises `Declined`, `McpError`."""
        try:
            result = await self._once(ctx, version, method, params, peer, patience, seconds)
        except Declined as declined:
            if method != "tools/call" or declined.error is None or declined.error.code != HEADER_MISMATCH:
                raise
            # The schema of this tool is another than we knew: look it up, and say it again.
            await self._learn(ctx, version, peer, patience, seconds)
            result = await self._once(ctx, version, method, params, peer, patience, seconds)
        if method == "tools/list" and isinstance(result.get("tools"), list):
            result = {**result, "tools": self._tools.learn(result["tools"])}
        return as_modern(result)

    async def listen(
        self, ctx: Context, version: str, wanted: Json, seconds: float
    ) -> AsyncGenerator[tuple[str, Json], None]:
        """Notifications, until the server ends the subscription. Raises `Declined`, `McpError`."""
        params, patience = {"notifications": dict(wanted)}, Patience(None)
        stream = self._messages(ctx, version, next(self._ids), "subscriptions/listen", params, None, patience, seconds)
        async with aclosing(stream) as messages:
            async for message in messages:
                if is_response(message):
                    outcome(message, self._caller.name)
                    return
                method, told = message.get("method"), message.get("params")
                if isinstance(method, str) and method != "notifications/subscriptions/acknowledged":
                    yield method, without_subscription(told if isinstance(told, dict) else {})

    async def _learn(self, ctx: Context, version: str, peer: Peer | None, patience: Patience, seconds: float) -> None:
        params: dict[str, Any] = {}
        for _ in range(_MOST_PAGES):
            page = await self._once(ctx, version, "tools/list", params, peer, patience, seconds)
            self._tools.learn(page.get("tools") or ())
            if not isinstance(page.get("nextCursor"), str):
                return
            params = {"cursor": page["nextCursor"]}

    async def _once(
        self,
        ctx: Context,
        version: str,
        method: str,
        params: Json,
        peer: Peer | None,
        patience: Patience,
        seconds: float,
    ) -> dict[str, Any]:
        id = next(self._ids)
        async with aclosing(self._messages(ctx, version, id, method, params, peer, patience, seconds)) as messages:
            async for message in messages:
                if is_response(message):
                    if message.get("id") == id or (message.get("id") is None and "error" in message):
                        return outcome(message, self._caller.name)
                elif "id" not in message and peer is not None:
                    told = message.get("params")
                    await peer.notify(str(message.get("method")), told if isinstance(told, dict) else {})
        raise failures.away(self._caller.name, "ended its answer before it was complete")

    async def _messages(
        self,
        ctx: Context,
        version: str,
        id: int,
        method: str,
        params: Json,
        peer: Peer | None,
        patience: Patience,
        seconds: float,
    ) -> AsyncGenerator[Message, None]:
        note(upstream_request_id=str(id), upstream_version=version, upstream_era="modern")
        trace = trace_of(ctx, params)
        body = request_bytes(id, method, with_meta(params, {**modern_meta(version, peer), **trace_headers(trace)}))
        headers = {**POST_HEADERS, keys.VERSION_HEADER: version, keys.METHOD_HEADER: method}
        name = params.get(keys.NAMED_BY.get(method, ""))
        if isinstance(name, str):
            headers[keys.NAME_HEADER] = written(name)
        if method == "tools/call":
            headers |= self._tools.headers(name, params.get("arguments"))
        server = self._caller.name
        async with self._caller.call(
            ctx, "POST", self._url, headers=headers, body=body, patience=patience, seconds=seconds, trace=trace
        ) as answer:
            await declined_if(answer, server)
            async with aclosing(messages_of(answer, server, self._most, Cursor())) as messages:
                async for message in messages:
                    yield message


async def declined_if(answer: Answer, server: str) -> None:
    """Raises `Declined` for a status of 400 or more, `Failure` for one that promises no answer."""
    if answer.status >= 400:
        raise Declined(answer.status, await error_in(answer, server))
    if answer.status != 200:
        raise failures.not_the_protocol(server, f"HTTP status {answer.status} instead of an answer")


def discovered(result: Json) -> ServerFacts:
    """What a server says of itself in `server/discover`."""
    meta = result.get("_meta")
    info = meta.get(keys.SERVER_INFO) if isinstance(meta, dict) else None
    capabilities, instructions = result.get("capabilities"), result.get("instructions")
    versions = result.get("supportedVersions")
    return ServerFacts(
        capabilities if isinstance(capabilities, dict) else {},
        info if isinstance(info, dict) else {},
        instructions if isinstance(instructions, str) else None,
        "modern",
        tuple(v for v in versions if isinstance(v, str)) if isinstance(versions, list) else (),
    )

"""Calls that the gateway makes on behalf of a request: a judge, an external guard, a tool loop.

They walk the road from authorize to settle like any other request, so that nothing bypasses the ledger.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import orjson

from routeiq.request import frames
from routeiq.request.context import RequestContext
from routeiq.request.ids import new_request_id
from routeiq.request.tool_loop import Asked
from routeiq.surfaces.chat import ChatSurface
from routeiq.wires import sse
from routeiq.wires.body import as_raw
from routeiq.wires.gathering import Gathering
from routeiq_sdk import Context, Principal, RequestError
from routeiq_sdk.values.http import Headers

if TYPE_CHECKING:
    from routeiq.request.pipeline import Road

Hear = Callable[[Mapping[str, Any]], Awaitable[None]]

_SURFACE = ChatSurface()
_DEPTH = "routeiq.request.nested"
_DEEPEST = 8
_GATEWAY = Principal("gateway", kind="service", alias="the gateway itself")


async def call(road: Road, parent: Context | None, body: Mapping[str, Any], config: str) -> Mapping[str, Any]:
    """A chat completion as a child of `parent`. Raises `RequestError` as a client would see it."""
    return (await ask(road, parent, body, config, Headers([]))).answer


async def ask(road: Road, parent: Context | None, body: Mapping[str, Any], config: str, headers: Headers) -> Asked:
    """`call` with what it cost; `headers` are those whose tags, end user and options hold for the child, too."""
    if body.get("stream"):
        raise RequestError(400, "a nested call does not stream", param="stream")
    taken = _Taken()
    ctx = await _serve(road, parent, body, config, headers, taken)
    answer = orjson.loads(taken.body)
    if taken.status >= 400:
        raise _refused(answer["error"], taken.status)
    return Asked(answer, ctx.cost)


async def listen(
    road: Road, parent: Context | None, body: Mapping[str, Any], config: str, headers: Headers, hear: Hear
) -> Asked:
    """`ask`, and `hear` is told each chunk as it comes. Raises `RequestError` also when the answer breaks off."""
    body = {**body, "stream": True, "stream_options": {"include_usage": True}}
    heard = _Heard(hear)
    ctx = await _serve(road, parent, body, config, headers, heard)
    if heard.status >= 400:
        raise _refused(orjson.loads(heard.body)["error"], heard.status)
    if heard.error is not None:
        raise _refused(heard.error, 502)
    return Asked(heard.gathering.completion(), ctx.cost)


async def _serve(
    road: Road, parent: Context | None, body: Mapping[str, Any], config: str, headers: Headers, taken: _Taken
) -> Context:
    depth = 1 + (parent.kept(_DEPTH, int) or 0) if parent is not None else 1
    if depth > _DEEPEST:
        raise RequestError(508, f"nested calls go deeper than {_DEEPEST}: a plugin calls itself")
    principal = (parent.identified if parent is not None else None) or _GATEWAY
    ctx = RequestContext(
        request_id=new_request_id(),
        surface=_SURFACE.name,
        route="nested" if parent is None else f"nested:{parent.request_id}",
        method="POST",
        path="",
        headers=headers,
        client=None,
        config=config,
        action="chat:create",
    )
    ctx.identify(principal)
    if parent is not None:
        ctx.follow(parent)
    ctx.keep(_DEPTH, depth)
    await road.serve(ctx, _SURFACE, {name: as_raw(value) for name, value in body.items()}, taken.send)
    return ctx


def _refused(error: Mapping[str, Any] | str, status: int) -> RequestError:
    if isinstance(error, str):
        return RequestError(status, error)
    code = str(error.get("code"))
    status = int(code) if code.isdecimal() and len(code) == 3 else status
    return RequestError(status, error["message"], type=error["type"], param=error["param"])


class _Taken:
    """Takes an answer instead of a client."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            await self.take(message.get("body", b""))

    async def take(self, block: bytes) -> None:
        self.body += block


class _Heard(_Taken):
    """Takes a stream instead of a client: chunk by chunk, and all of it in the end."""

    def __init__(self, hear: Hear) -> None:
        super().__init__()
        self._hear = hear
        self._splitter = sse.SseSplitter()
        self.gathering = Gathering()
        self.error: Mapping[str, Any] | None = None

    async def take(self, block: bytes) -> None:
        if self.status >= 400:
            await super().take(block)
            return
        for raw in self._splitter.feed(block):
            chunk = frames.parse(raw).document
            if chunk is None:
                continue
            if chunk.get("error") is not None:
                self.error = chunk["error"]
            else:
                self.gathering.add(chunk)
                await self._hear(chunk)

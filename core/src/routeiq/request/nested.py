"""Calls that the gateway makes on behalf of a request: a judge, an external guard, a tool loop.

They walk the road from authorize to settle like any other request, so that nothing bypasses the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import orjson

from routeiq.request.context import RequestContext
from routeiq.request.ids import new_request_id
from routeiq.request.tool_loop import Asked
from routeiq.surfaces.chat import ChatSurface
from routeiq.wires.body import as_raw
from routeiq_sdk import Context, Principal, RequestError
from routeiq_sdk.values.http import Headers

if TYPE_CHECKING:
    from routeiq.request.pipeline import Road

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
    taken = _Taken()
    await road.serve(ctx, _SURFACE, {name: as_raw(value) for name, value in body.items()}, taken.send)
    answer = orjson.loads(taken.body)
    if taken.status >= 400:
        error = answer["error"]
        raise RequestError(taken.status, error["message"], type=error["type"], param=error["param"])
    return Asked(answer, ctx.cost)


class _Taken:
    """Takes an answer instead of a client."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")

"""Notifications of a face: those of its servers merged, and what the gateway itself changed.

Which of them a client gets is what it asked for; streams to clients are the door's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import structlog

from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.seams import Json, McpError
from routeiq_sdk import Context, RequestError, RouteIQError

log = structlog.get_logger("routeiq.mcp")

CHANGED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "notifications/tools/list_changed": ("toolsListChanged", ("tools/list",)),
    "notifications/prompts/list_changed": ("promptsListChanged", ("prompts/list",)),
    "notifications/resources/list_changed": ("resourcesListChanged", ("resources/list", "resources/templates/list")),
}
"""Notifications of changed lists: how a client asks for them, and which lists they are about."""
UPDATED = "notifications/resources/updated"
_QUEUE = 256
_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)
Note = tuple[str, Json]


class Listening:
    """Streams of notifications, and the gateway's own part in them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._streams: set[asyncio.Queue[Note]] = set()

    def tell(self, *methods: str) -> None:
        """Tell every client that listens of changed lists."""
        for queue in self._streams:
            for method in methods:
                _put(queue, (method, {}))

    async def listen(
        self, ctx: Context, face: FaceSpec, wanted: Json, parts: Sequence[tuple[Server, Json, Mapping[str, str]]]
    ) -> AsyncIterator[Note]:
        """Notifications until the client goes away. `parts` says of each server what is wanted of it, and under which
        names its resources are known here."""
        if len(self._streams) >= self._most:
            raise RequestError(
                503,
                f"{self._most} clients listen already; see routeiq.plugins.mcp.listeners.",
                type="api_error",
                headers={"retry-after": "30"},
            )
        queue: asyncio.Queue[Note] = asyncio.Queue(_QUEUE)
        self._streams.add(queue)
        tasks = [
            asyncio.create_task(self._follow(ctx, server, part, names, queue), name=f"mcp listens to {server.name}")
            for server, part, names in parts
            if part
        ]
        try:
            while True:
                method, params = await queue.get()
                if asked_for(method, params, wanted):
                    yield method, params
        finally:
            self._streams.discard(queue)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(
        self, ctx: Context, server: Server, wanted: Json, names: Mapping[str, str], queue: asyncio.Queue[Note]
    ) -> None:
        """Hand on what a server tells, and come back when its stream ends, ever later when it tells nothing."""
        ended = 0
        while True:
            try:
                async with contextlib.aclosing(_closable(server.upstream.listen(ctx, wanted))) as notes:
                    async for method, params in notes:
                        ended = 0
                        changed = CHANGED.get(method)
                        for listed in changed[1] if changed is not None else ():
                            server.lists.drop(listed)
                        params = _plain(method, params)
                        uri = params.get("uri")
                        if method == UPDATED and isinstance(uri, str) and uri in names:
                            params = {**params, "uri": names[uri]}
                        _put(queue, (method, params))
            except McpError as error:
                if error.code == -32601:
                    return  # it tells nothing of itself
                log.debug("a server does not let itself be listened to", server=server.name, error=str(error))
            except (RouteIQError, OSError) as error:
                log.debug("a server does not let itself be listened to", server=server.name, error=type(error).__name__)
            await asyncio.sleep(_PAUSES[min(ended, len(_PAUSES) - 1)])
            ended += 1


def asked_for(method: str, params: Json, wanted: Json) -> bool:
    """Whether a client asked for a notification."""
    changed = CHANGED.get(method)
    if changed is not None:
        return wanted.get(changed[0]) is True
    if method == UPDATED:
        return params.get("uri") in (wanted.get("resourceSubscriptions") or ())
    return True  # of an extension: the server was asked for it


def _plain(method: str, params: Json) -> Json:
    """What a notification is there to say; no server talks to a model beside it."""
    if method == UPDATED:
        return {"uri": params.get("uri")}
    return {} if method in CHANGED else params


def part_of(wanted: Json, uris: Sequence[str]) -> dict[str, Any]:
    """What is wanted of one server, whose resources are `uris`."""
    part = {name: value for name, value in wanted.items() if name != "resourceSubscriptions" and value}
    return {**part, "resourceSubscriptions": list(uris)} if uris else part


def _put(queue: asyncio.Queue[Note], note: Note) -> None:
    if queue.full():
        queue.get_nowait()  # a client that does not read loses the oldest: all of them only say "look again"
    queue.put_nowait(note)


def _closable(notes: AsyncIterator[Note]) -> Any:
    """An async generator as it is; any other iterator with a way to close it."""
    return notes if hasattr(notes, "aclose") else _Closable(notes)


class _Closable:
    def __init__(self, notes: AsyncIterator[Note]) -> None:
        self._notes = notes

    def __aiter__(self) -> AsyncIterator[Note]:
        return self._notes

    async def aclose(self) -> None:
        """Nothing to close."""

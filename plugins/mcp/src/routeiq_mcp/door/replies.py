"""A call's outbox as an HTTP answer: JSON when nothing was said before the result, else an event stream.

What is in the messages was settled before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_mcp.door.calls import Item
from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.door.readers import Reader
from routeiq_mcp.door.slots import Slot
from routeiq_mcp.seams import Json, McpError
from routeiq_mcp.wire import codes, fields, messages, sse
from routeiq_sdk.values.http import HttpResponse


@dataclass(frozen=True, slots=True)
class Shape:
    """How a client wants its answer. `id` is what its request is called now; `resumable` says that it may come back
    to a stream; `asked` makes the result of a question that ends a modern request."""

    modern: bool
    id: Any = None
    resumable: bool = False
    asked: Callable[[Json], Json] | None = None


def plain(message: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """One JSON-RPC message."""
    return HttpResponse(status, messages.encode(message), headers or {})


def error(fault: McpError, id: Any = None, status: int | None = None) -> HttpResponse:
    """An error that was found before anybody was asked."""
    if status is None:
        status = codes.HTTP_STATUS.get(fault.code, 200)
    return plain(messages.error(id, fault.code, fault.message, fault.data), status)


async def respond(reader: Reader, shape: Shape, options: DoorOptions, slot: Slot | None) -> HttpResponse:
    """Answer with what a call says. Raises `RequestError` for a refusal that HTTP tells."""
    first: Item | None = None
    try:
        async with asyncio.timeout(options.json_seconds):
            first = await _next(reader, shape)
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        reader.close()
        raise
    else:
        if first is None or first.kind != "message":
            if slot is not None:
                slot.release()
            return _json(first, shape)
    return HttpResponse(
        200, EventStream(reader, shape, options, first, slot), sse.HEADERS, fields.EVENTS, long_lived=slot is not None
    )


def resume(reader: Reader, shape: Shape, options: DoorOptions, slot: Slot | None, after: int) -> HttpResponse:
    """Answer with the rest of a stream that broke after place `after`."""
    stream = EventStream(reader, shape, options, None, slot, after)
    return HttpResponse(200, stream, sse.HEADERS, fields.EVENTS, long_lived=slot is not None)


class EventStream:
    """The stream's body. Closing it before its end tells the call that the client has gone."""

    def __init__(
        self, reader: Reader, shape: Shape, options: DoorOptions, first: Item | None, slot: Slot | None, after: int = 0
    ) -> None:
        self._after = after
        self._reader = reader
        self._shape = shape
        self._options = options
        self._slot = slot
        self._held = first
        self._primed = not shape.resumable
        self._over = False

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> bytes:
        if self._over:
            raise StopAsyncIteration
        if not self._primed:
            self._primed = True
            return sse.priming(f"{self._reader.mark}.{self._after}", self._options.retry_ms)
        item, self._held = self._held, None
        if item is None:
            try:
                async with asyncio.timeout(self._options.ping_seconds):
                    item = await _next(self._reader, self._shape)
            except TimeoutError:
                return sse.PING
        if item is None:
            self._over = True
            raise StopAsyncIteration
        id = f"{self._reader.mark}.{item.place}" if self._shape.resumable else None
        if item.kind == "message":
            return sse.frame(item.content, id=id)
        self._over = True
        answer = _answer(item, self._shape)
        if answer is None:
            raise StopAsyncIteration
        return sse.frame(messages.encode(answer), id=id)

    async def aclose(self) -> None:
        self._leave()

    def __del__(self) -> None:
        # Nobody closes a stream whose head could not be sent.
        self._leave()

    def _leave(self) -> None:
        self._over = True
        self._reader.close()
        if self._slot is not None:
            self._slot.release()


async def _next(reader: Reader, shape: Shape) -> Item | None:
    try:
        return await reader.next()
    except McpError as fault:
        return Item("end", messages.error(shape.id, fault.code, fault.message, fault.data))


def _answer(item: Item, shape: Shape) -> Any:
    if item.kind == "input":
        asked: Json = shape.asked(item.content) if shape.asked is not None else {}
        return messages.result(shape.id, asked)
    if shape.modern and isinstance(item.content, dict):
        return {**item.content, "id": shape.id}
    return item.content


def _json(item: Item | None, shape: Shape) -> HttpResponse:
    if item is not None and item.refusal is not None:
        raise item.refusal
    answer = None if item is None else _answer(item, shape)
    if answer is None:
        gone = McpError(codes.REQUEST_CANCELLED, "the request was cancelled, or what waited for it has ended")
        return error(gone, shape.id, 200)
    status = 200
    if shape.modern and "error" in answer:
        status = codes.HTTP_STATUS.get(answer["error"]["code"], 200)
    return plain(answer, status)

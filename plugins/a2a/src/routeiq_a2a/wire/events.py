"""Server-sent events to a client: bounded in number of streams, kept awake while nothing happens, ended when it goes.

What an event says is its binding's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Any

import orjson

from routeiq_a2a.wire.errors import Problem, problem
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpResponse

_AWAKE_SECONDS = 15.0
_AWAKE = b": awake\n\n"
Frame = Callable[[Any], Mapping[str, Any]]


class Streams:
    """How many there are in this worker."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.open = 0

    async def answer(
        self, events: AsyncGenerator[Any], frame: Frame, fail: Callable[[Problem], Mapping[str, Any]]
    ) -> HttpResponse:
        """A stream whose first event is there already. Raises what came instead of it: then there is no stream."""
        try:
            self._enter()
        except RequestError:
            await events.aclose()
            raise
        try:
            first = await anext(events, None)
        except BaseException:
            self._leave()
            await events.aclose()
            raise
        body = _Body(first, events, frame, fail)
        body.leave = weakref.finalize(body, self._leave)  # once, also when nobody ever asked for its first piece
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return HttpResponse(200, body, headers, "text/event-stream", long_lived=True)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """The place of a stream that is no server-sent events. Raises `RequestError` when there is none."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        if self.open >= self._most:
            message = "Too many streams are open; try again in a moment."
            raise RequestError(503, message, type="overloaded", headers={"Retry-After": "1"})
        self.open += 1

    def _leave(self) -> None:
        self.open -= 1


class _Body:
    """The bytes of one stream."""

    def __init__(
        self, first: Any, events: AsyncGenerator[Any], frame: Frame, fail: Callable[[Problem], Mapping[str, Any]]
    ) -> None:
        self._first = first
        self._events = events
        self._frame = frame
        self._fail = fail
        self._waiting: asyncio.Task[Any] | None = None
        self._ended = first is None
        self.leave: Callable[[], Any] = lambda: None

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        if self._first is not None:
            first, self._first = self._first, None
            return _event(self._frame(first))
        self._waiting = self._waiting or asyncio.ensure_future(anext(self._events, None))
        done, _ = await asyncio.wait({self._waiting}, timeout=_AWAKE_SECONDS)
        if not done:
            return _AWAKE
        waiting, self._waiting = self._waiting, None
        try:
            event = waiting.result()
        except Exception as error:
            self._ended = True
            return b"event: error\n" + _event(self._fail(problem(error)))
        if event is None:
            self._ended = True
            raise StopAsyncIteration
        return _event(self._frame(event))

    async def aclose(self) -> None:
        """End what is under way."""
        self._ended = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await waiting
        await self._events.aclose()
        self.leave()


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"

"""Server-sent events to a client: bounded in number of streams, kept awake while nothing happens, ended when it goes.

What an event says is its binding's business.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
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
        if self.open >= self._most:
            await events.aclose()
            raise RequestError(
                503,
                "Too many streams are open; try again in a moment.",
                type="overloaded",
                headers={"Retry-After": "1"},
            )
        self.open += 1
        try:
            first = await anext(events, None)
        except BaseException:
            self.open -= 1
            await events.aclose()
            raise
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        body = self._body(first, events, frame, fail)
        return HttpResponse(200, body, headers, "text/event-stream", long_lived=True)

    async def _body(
        self, first: Any, events: AsyncGenerator[Any], frame: Frame, fail: Callable[[Problem], Mapping[str, Any]]
    ) -> AsyncGenerator[bytes]:
        waiting: asyncio.Task[Any] | None = None
        try:
            if first is not None:
                yield _event(frame(first))
            while first is not None:
                waiting = waiting or asyncio.ensure_future(anext(events, None))
                done, _ = await asyncio.wait({waiting}, timeout=_AWAKE_SECONDS)
                if not done:
                    yield _AWAKE
                    continue
                event, waiting = waiting.result(), None
                if event is None:
                    return
                yield _event(frame(event))
        except Exception as error:
            waiting = None
            yield b"event: error\n" + _event(fail(problem(error)))
        finally:
            self.open -= 1
            if waiting is not None:
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await waiting
            await events.aclose()


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"

"""A small ASGI application that the server's tests run in real processes. Reached by name, so not a test module."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from starlette.types import Receive, Scope, Send

from routeiq.server.drain import Drain
from routeiq.server.settings import WorkerSpec
from routeiq_sdk.errors import ConfigError

Headers = list[tuple[bytes, bytes]]


class ServingApp:
    """`/plain`, `/ready`, `/length` (reads the body in `body_seconds`), `/stream?EVENTS,GAP_MS`."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.drain = Drain()
        self._spec = spec
        self._reloads = 0

    async def reload(self) -> None:
        self._reloads += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] == "/stream":
            await self._stream(scope, send)
        elif scope["path"] == "/length":
            await self._length(scope, receive, send)
        elif scope["path"] == "/ready":
            await answer(send, 503 if self.drain.draining else 200, {})
        else:
            await answer(send, 200, {"pid": os.getpid(), "reloads": self._reloads, "live": self.drain.live})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                say("application stopped")
                return

    async def _stream(self, scope: Scope, send: Send) -> None:
        events, gap_ms = map(int, scope["query_string"].split(b","))
        await start(send, 200, [(b"content-type", b"text/event-stream")])
        for number in range(events):
            await send(body(f"data: {number}\n\n".encode(), more=True))
            await asyncio.sleep(gap_ms / 1000)
        await send(body(b"data: [DONE]\n\n", more=False))

    async def _length(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = 0
        try:
            async with asyncio.timeout(self._spec.settings.body_seconds):
                while True:
                    message = await receive()
                    length += len(message.get("body", b""))
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            await answer(send, 408, {}, [(b"connection", b"close")])
            return
        smuggled = b"yes" if any(name == b"authorization" for name, _ in scope["headers"]) else b"no"
        await answer(send, 200, {"length": length}, [(b"x-authorized", smuggled)])


def say(line: str) -> None:
    """One write, so that lines of several workers never mingle."""
    os.write(1, f"{line}\n".encode())


async def start(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


def body(data: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def answer(send: Send, status: int, content: dict[str, Any], headers: Headers | None = None) -> None:
    data = json.dumps(content).encode()
    await start(send, status, [(b"content-length", str(len(data)).encode()), *(headers or [])])
    await send(body(data, more=False))


def factory(spec: WorkerSpec) -> ServingApp:
    return ServingApp(spec)


def bad_config(spec: WorkerSpec) -> ServingApp:
    raise ConfigError("model_list is empty", file=spec.config_path, line=3, mend="name a model")


def dies(spec: WorkerSpec) -> ServingApp:
    say("one more life")
    sys.exit(9)


class FailingLifespan:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan", "a request reached an application that never started"
        await receive()
        raise ConfigError("the price book cannot be read", mend="mend it")


def fails_in_lifespan(spec: WorkerSpec) -> FailingLifespan:
    return FailingLifespan()


class NeverReady:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        say("application starting")
        await asyncio.Event().wait()


def never_ready(spec: WorkerSpec) -> NeverReady:
    return NeverReady()

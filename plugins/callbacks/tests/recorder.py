"""An HTTP server that takes whatever is sent to it, remembers it, and answers as it is told."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Sent:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return body.decode()

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Recorder:
    """`answer` may be a function of the request; `status` counts where it gives none."""

    url: str = ""
    status: int = 200
    answer: bytes | Callable[[Sent], tuple[int, bytes]] = b"{}"
    sent: list[Sent] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, enough: int | Callable[[list[Sent]], bool], seconds: float = 15.0) -> list[Sent]:
        """Wait for so many requests, or until they are enough."""
        wanted = enough if callable(enough) else lambda sent: len(sent) >= enough
        async with asyncio.timeout(seconds):
            while not wanted(self.sent):
                self._news.clear()
                await self._news.wait()
        return self.sent

    def take(self, sent: Sent) -> tuple[int, bytes]:
        self.sent.append(sent)
        self._news.set()
        return self.answer(sent) if callable(self.answer) else (self.status, self.answer)

    def everything(self) -> str:
        """All that left, as one text."""
        return "\n".join(f"{one.path} {one.query} {one.headers} {one.text}" for one in self.sent)


@asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    recorder = Recorder()

    async def take(request: web.Request) -> web.Response:
        body = await request.content.read(-1)
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, answer = recorder.take(Sent(request.method, request.path, dict(request.query), headers, body))
        return web.Response(status=status, body=answer)

    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    recorder.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield recorder
    finally:
        await runner.cleanup()

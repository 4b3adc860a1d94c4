"""An HTTP server that takes whatever is sent to it, remembers it, and answers as it is told."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
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

    def json(self) -> Any:
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return json.loads(body)


@dataclass
class Recorder:
    url: str = ""
    status: int = 200
    answer: bytes = b"{}"
    sent: list[Sent] = field(default_factory=list)

    async def until(self, count: int, seconds: float = 10.0) -> list[Sent]:
        """Wait for so many requests."""
        async with asyncio.timeout(seconds):
            while len(self.sent) < count:
                await asyncio.sleep(0.02)
        return self.sent

    def everything(self) -> str:
        """All that left, as one text."""
        return "\n".join(f"{one.path} {one.headers} {json.dumps(one.json()) if one.body else ''}" for one in self.sent)


@asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    recorder = Recorder()

    async def take(request: web.Request) -> web.Response:
        body = await request.content.read(-1)
        raw = {name.lower(): value for name, value in request.headers.items()}
        recorder.sent.append(Sent(request.method, request.path, dict(request.query), raw, body))
        return web.Response(status=recorder.status, body=recorder.answer)

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

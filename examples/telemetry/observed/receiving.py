"""A collector of OTLP and a recorder of webhooks on one loopback port, which keep what they get.

What is done with it is decided in `tour`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from observed.spans import Span, spans_of

_SECONDS = 20.0


class NothingCame(Exception):
    """What should have been told was not told in time."""


@dataclass
class Received:
    """All that came so far. `url` is the collector's endpoint; webhooks go to `hook`."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    exports: dict[str, int] = field(default_factory=lambda: {"traces": 0, "metrics": 0, "logs": 0})
    payloads: list[dict[str, Any]] = field(default_factory=list)
    posts: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def hook(self) -> str:
        """Where webhooks are posted."""
        return f"{self.url}/in"

    async def until(self, what: str, enough: Callable[[], bool]) -> None:
        """Wait for further news until they are enough. Raises `NothingCame`."""
        try:
            async with asyncio.timeout(_SECONDS):
                while not enough():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise NothingCame(f"within {_SECONDS:.0f} s there were not all {what}") from None

    async def take_export(self, request: web.Request) -> web.Response:
        """`POST /v1/traces` and its like. An empty answer says that all was taken."""
        signal = request.match_info["signal"]
        body = await request.read()
        self.exports[signal] += 1
        if signal == "traces":
            self.spans += spans_of(body)
        self._news.set()
        return web.Response(body=b"", content_type="application/x-protobuf")

    async def take_webhook(self, request: web.Request) -> web.Response:
        """A list of payloads."""
        self.payloads += json.loads(await request.read())
        self.posts += 1
        self._news.set()
        return web.Response()


@asynccontextmanager
async def receiving() -> AsyncIterator[Received]:
    """Both servers on a free port of 127.0.0.1, until the end."""
    received = Received()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/{signal:traces|metrics|logs}", received.take_export)
    app.router.add_post("/in", received.take_webhook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    received.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield received
    finally:
        await runner.cleanup()

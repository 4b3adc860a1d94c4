"""Webhooks of clients, which write down what they get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .agents import served


class Webhook:
    """A client's webhook; it refuses the first `failures` calls."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.got: list[tuple[dict[str, str], Any]] = []
        self.tries = 0
        self.changed = asyncio.Event()
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            piece = await receive()
            body += piece.get("body", b"")
            more = piece.get("more_body", False)
        self.tries += 1
        status = 200
        if self.failures:
            self.failures -= 1
            status = 500
        else:
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.got.append((headers, json.loads(body)))
            self.changed.set()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def until(self, last: str) -> None:
        """Wait until the last notification holds this word."""
        async with asyncio.timeout(30):
            while not self.got or last not in json.dumps(self.got[-1][1]):
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def webhook(failures: int = 0) -> AsyncIterator[Webhook]:
    hook = Webhook(failures)
    async with served(hook) as url:
        hook.url = f"{url}/client/hook"
        yield hook

"""A small client of MCP servers for the bench: both eras over one aiohttp session, no more work than a call needs."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

LEGACY, MODERN = "2025-11-25", "2026-07-28"
_ACCEPT = "application/json, text/event-stream"
_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Failed(RuntimeError):
    """An answer that is no result."""


@dataclass
class Caller:
    """One client of one server. `open` first."""

    session: aiohttp.ClientSession
    url: str
    era: str
    headers: dict[str, str]
    _numbers: Any = None

    async def open(self) -> Caller:
        self._numbers = itertools.count(1)
        self.headers = {"accept": _ACCEPT, "content-type": "application/json", **self.headers}
        if self.era == LEGACY:
            asked = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
            body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": asked}
            async with self.session.post(self.url, json=body, headers=self.headers) as answer:
                await _result(answer)
                if told := answer.headers.get("mcp-session-id"):
                    self.headers["mcp-session-id"] = told
            self.headers["mcp-protocol-version"] = LEGACY
            body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            async with self.session.post(self.url, json=body, headers=self.headers) as answer:
                answer.raise_for_status()
        else:
            self.headers["mcp-protocol-version"] = MODERN
        return self

    async def ask(self, method: str, params: Mapping[str, Any], name: str | None = None) -> Any:
        headers = self.headers
        if self.era == MODERN:
            params = {**params, "_meta": _META}
            headers = {**headers, "mcp-method": method, **({"mcp-name": name} if name else {})}
        body = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        async with self.session.post(self.url, data=json.dumps(body), headers=headers) as answer:
            return await _result(answer)

    async def call(self, tool: str, **arguments: Any) -> Any:
        result = await self.ask("tools/call", {"name": tool, "arguments": arguments}, tool)
        if result.get("isError"):
            raise Failed(str(result)[:300])
        return result

    async def tools(self) -> int:
        """The number of tools, over all pages."""
        cursor, found = None, 0
        while True:
            page = await self.ask("tools/list", {"cursor": cursor} if cursor else {})
            found += len(page["tools"])
            cursor = page.get("nextCursor")
            if not cursor:
                return found


async def _result(answer: aiohttp.ClientResponse) -> Any:
    text = await answer.text()
    if answer.status != 200:
        raise Failed(f"{answer.status}: {text[:300]}")
    if answer.content_type == "text/event-stream":
        lines = [line[5:] for line in text.splitlines() if line.startswith("data:") and line[5:].strip()]
        document = json.loads(lines[-1])
    else:
        document = json.loads(text)
    if "result" not in document:
        raise Failed(str(document)[:300])
    return document["result"]


async def at_once(callers: list[Caller], calls: int, tool: str) -> list[float]:
    """`calls` calls, spread over the callers that work at once; the seconds of each."""
    left = iter(range(calls))
    took: list[float] = []

    async def work(caller: Caller) -> None:
        for _ in left:
            begun = time.perf_counter()
            await caller.call(tool, text="hello")
            took.append(time.perf_counter() - begun)

    await asyncio.gather(*(work(caller) for caller in callers))
    return took

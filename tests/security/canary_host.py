"""A host of an attacker's that counts who calls and keeps what was sent, where nobody may come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio

UPSTREAM_KEY = "sk-upstream"
"""The key of the rows that `openai_row` writes: what is to be stolen."""


@dataclass
class CanaryHost:
    """A host that nobody may reach, on 127.0.0.1 and ::1. `hits` counts connections, `heard` keeps what was sent."""

    port: int = 0
    hits: int = 0
    heard: bytearray = field(default_factory=bytearray)
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def start(self) -> None:
        """Listen, on ::1 only where there is IPv6."""
        for address in ("127.0.0.1", "::1"):
            try:
                server = await asyncio.start_server(self._connected, address, self.port)
            except OSError:
                if not self._servers:
                    raise
                continue
            self.port = server.sockets[0].getsockname()[1]
            self._servers.append(server)

    async def stop(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        self.heard += await reader.read(65536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()


@pytest_asyncio.fixture
async def canary_host() -> AsyncIterator[CanaryHost]:
    """A canary of the test's own."""
    canary = CanaryHost()
    await canary.start()
    yield canary
    await canary.stop()

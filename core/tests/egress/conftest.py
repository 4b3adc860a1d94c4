"""Real servers on loopback for the egress tests: a canary that counts connections, and small web servers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from routeiq.egress import Egress, EgressPolicy, Lookup, PoolLimits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[int]]
OpenEgress = Callable[..., Awaitable[Egress]]


@dataclass
class Canary:
    """Listens on 127.0.0.1, 127.0.0.2 and, where there is IPv6, on ::1, all on one port. Nobody may connect."""

    port: int = 0
    hits: int = 0
    servers: list[asyncio.Server] = field(default_factory=list)

    async def _on_connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\ncanary")
        writer.close()

    async def start(self, addresses: Sequence[str]) -> None:
        for address in addresses:
            server = await asyncio.start_server(self._on_connect, address, self.port)
            self.port = server.sockets[0].getsockname()[1]
            self.servers.append(server)

    async def stop(self) -> None:
        for server in self.servers:
            server.close()
            await server.wait_closed()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    canary = Canary()
    await canary.start(["127.0.0.1", *(["::1"] if has_ipv6() else [])])
    yield canary
    await canary.stop()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`port = await serve(handler)`: a web server that answers everything with `handler`."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler, host: str = "127.0.0.1", port: int = 0) -> int:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
        return int(runner.addresses[0][1])

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def open_egress() -> AsyncIterator[OpenEgress]:
    """`egress = await open_egress(policy, lookup=...)`, closed at the end of the test."""
    opened: list[Egress] = []

    async def start(policy: EgressPolicy, lookup: Lookup | None = None, limits: PoolLimits | None = None) -> Egress:
        egress = Egress(policy, lookup=lookup, limits=limits)
        opened.append(egress)
        await egress.open()
        return egress

    yield start
    for egress in opened:
        await egress.close()


@pytest.fixture
def answers() -> Callable[..., Lookup]:
    """`answers({"a.example": ["127.0.0.1"]}, otherwise=[...])` is a name server that says just that."""

    def make(names: dict[str, Sequence[str]] | None = None, otherwise: Sequence[str] = ()) -> Lookup:
        async def look_up(host: str, port: int) -> Sequence[str]:
            return (names or {}).get(host, otherwise)

        return look_up

    return make

"""How a connection is made: resolve once, check every answer, connect to a checked address, check the peer.

Which address is right is `policy`'s question; requests and responses are `client`'s.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from routeiq.egress.url import EgressRefused

AddressCheck = Callable[[str, int, str], None]
"""Takes host, port and a numeric address; raises `EgressRefused`."""

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves host and port to numeric addresses, in the order in which to try them."""

PeerCheck = Callable[[str], None]
"""Takes the peer's numeric address; raises `EgressRefused`."""

peer_check: ContextVar[PeerCheck | None] = ContextVar("egress_peer_check", default=None)
"""What else the call of the running task asks of its peer."""

LOOKUP_SECONDS = 10.0


def system_lookup(executor: Executor | None) -> Lookup:
    """The operating system's resolver, run in `executor` (`None`: the loop's own)."""

    async def look_up(host: str, port: int) -> Sequence[str]:
        call = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        answers = await asyncio.get_running_loop().run_in_executor(executor, call)
        return [str(sockaddr[0]) for _, _, _, _, sockaddr in answers]

    return look_up


class PinnedResolver(AbstractResolver):
    """Gives the connector checked addresses only. One bad answer spoils the name: no part of it is tried."""

    def __init__(self, lookup: Lookup, check: AddressCheck) -> None:
        self._lookup = lookup
        self._check = check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        async with asyncio.timeout(LOOKUP_SECONDS):
            addresses = await self._lookup(host, port)
        for address in addresses:
            self._check(host, port, address)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


class CheckedConnector(aiohttp.TCPConnector):
    """A pool whose connections are checked again each time one is taken: after a reload the policy may be another.

    The resolver does not see numeric hosts; the client checks those before it calls, and this check covers them too.
    """

    def __init__(self, check: AddressCheck, lookup: Lookup, **limits: Any) -> None:
        super().__init__(resolver=PinnedResolver(lookup, check), **limits)
        self._check_peer = check

    async def connect(self, req: aiohttp.ClientRequest, *args: Any, **kwargs: Any) -> Any:
        # `connect` is the connector's documented entry. No byte of the request is sent before it returns.
        connection = await super().connect(req, *args, **kwargs)
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if peer is None:
            connection.close()
            raise aiohttp.ServerDisconnectedError("the connection was lost before the request was sent")
        try:
            self._check_peer(req.url.raw_host or "", req.url.port or 0, peer[0])
            own = peer_check.get()
            if own is not None:
                own(peer[0])
        except EgressRefused:
            connection.close()
            raise
        return connection

"""What a call is made of: its deadlines, its credentials, the bounds of the pool it uses, and the answer under way.

Values only; `client` makes the calls.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Protocol

import aiohttp

from routeiq.egress.url import Origin


@dataclass(frozen=True)
class Timeouts:
    """In seconds. `connect` includes the wait for a free connection, `read` is the longest silence."""

    connect: float | None = 10.0
    read: float | None = 600.0
    total: float | None = None

    @cached_property
    def for_client(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=self.total, connect=self.connect, sock_read=self.read)


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Headers that prove who we are, and the only origin that may see them."""

    origin: Origin
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Credentials({str(self.origin)!r}, {sorted(self.headers)})"


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of one pool. A limit of 0 means none; the road's own in-flight bound holds then."""

    connections: int = 0
    connections_per_origin: int = 0
    keepalive_seconds: float = 30.0
    dns_seconds: int = 10
    read_buffer_bytes: int = 64 * 1024


class PendingResponse(Protocol):
    """A call under way: `async with` it, or `await` it and `release()` the response."""

    def __await__(self) -> Generator[Any, None, aiohttp.ClientResponse]: ...

    async def __aenter__(self) -> aiohttp.ClientResponse: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

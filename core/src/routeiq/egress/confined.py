"""A call whose tenant is confined to networks: its addresses are checked before it connects, its peer before it speaks.

Calls that their host alone decides do not come here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any

import aiohttp

from routeiq.egress.call import PendingResponse
from routeiq.egress.connector import LOOKUP_SECONDS, Lookup, peer_check
from routeiq.egress.tenants import Reach
from routeiq.egress.url import Url


class ConfinedCall:
    """A `PendingResponse`; `start` makes the call itself."""

    def __init__(self, start: Callable[[], PendingResponse], url: Url, reach: Reach, lookup: Lookup) -> None:
        self._start = start
        self._url = url
        self._reach = reach
        self._lookup = lookup
        self._response: aiohttp.ClientResponse | None = None

    def __await__(self) -> Generator[Any, None, aiohttp.ClientResponse]:
        return self._open().__await__()

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._response = await self._open()
        return self._response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        assert self._response is not None
        self._response.release()
        await self._response.wait_for_close()

    async def _open(self) -> aiohttp.ClientResponse:
        for address in await self._addresses():
            self._check(address)
        token = peer_check.set(self._check)
        try:
            return await self._start()
        finally:
            peer_check.reset(token)

    async def _addresses(self) -> list[str]:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return list(await self._lookup(self._url.host, self._url.port))
        except (OSError, TimeoutError):
            return []  # the call itself will fail in the same way, and says so as every call does

    def _check(self, address: str) -> None:
        self._reach.check_address(self._url, address)

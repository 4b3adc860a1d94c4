"""One change of a resource at a time, over all workers: PATCH reads, changes and writes.

What is changed is told elsewhere.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from routeiq_oidc.scim.errors import ScimError
from routeiq_sdk import Gateway

_LEASE_SECONDS = 30.0
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.02


class Turns:
    """Leases in the shared state, one a resource. Within a worker those who wait stand in line."""

    def __init__(self, gateway: Gateway) -> None:
        self._state = gateway.state
        self._lines: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """The turn of `name`. Raises `ScimError` (503) when it does not come."""
        lock, waiting = self._lines.get(name, (asyncio.Lock(), 0))
        self._lines[name] = (lock, waiting + 1)
        try:
            async with lock:
                owner = secrets.token_hex(8)
                lease = f"oidc.scim:{name}"
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        while True:
                            if await self._state.acquire(lease, owner, _LEASE_SECONDS) is not None:
                                break
                            await asyncio.sleep(_PAUSE_SECONDS)
                except TimeoutError:
                    raise ScimError(503, "this resource is being changed by somebody else") from None
                try:
                    yield
                finally:
                    await self._state.release(lease, owner)
        finally:
            lock, waiting = self._lines[name]
            if waiting == 1:
                del self._lines[name]
            else:
                self._lines[name] = (lock, waiting - 1)

"""How often and how many at once a server may be called, over all processes that share the state.

Limits of callers (keys, teams) belong to `reserve_tool_call` hooks.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from routeiq_mcp.hub.server import Server
from routeiq_sdk import Gateway, RequestError, StoreUnavailable

_MINUTE_NS = 60 * 1_000_000_000
_LEASE_SPARE = 30.0
_SECONDS = 600.0


class Limits:
    """Holds places for calls. A place is a lease: that of a process that died comes free by itself."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._state = gateway.state
        self._here: dict[str, int] = {}

    @asynccontextmanager
    async def held(self, server: Server) -> AsyncIterator[None]:
        """A call of the server is under way. Raises `RequestError` when there are too many."""
        policy = server.policy
        if policy.rpm is None and policy.at_once is None:
            yield
            return
        try:
            if policy.rpm is not None:
                await self._count(server, policy.rpm)
            place = await self._place(server, policy.at_once) if policy.at_once is not None else None
        except StoreUnavailable:
            raise RequestError(
                503,
                f"The limits of MCP server {server.name} cannot be looked at now.",
                type="api_error",
                headers={"retry-after": "1"},
            ) from None
        try:
            yield
        finally:
            if place is not None:
                self._here[server.id] -= 1
                await asyncio.shield(self._release(*place))

    async def _count(self, server: Server, most: int) -> None:
        now = self._gateway.clock.now_ns()
        key = f"mcp/rpm/{server.id}/{now // _MINUTE_NS}"
        if await self._state.increment(key, 1, limit=most, ttl_seconds=120.0) is None:
            left = (_MINUTE_NS - now % _MINUTE_NS) // 1_000_000_000 + 1
            raise _too_many(server, f"more than {most} calls a minute", left)

    async def _place(self, server: Server, most: int) -> tuple[str, str]:
        if self._here.get(server.id, 0) >= most:
            raise _too_many(server, f"more than {most} calls at once", 1)
        self._here[server.id] = self._here.get(server.id, 0) + 1
        owner = uuid.uuid4().hex
        seconds = (server.policy.timeout_seconds or _SECONDS) + _LEASE_SPARE
        first = random.randrange(most)  # noqa: S311  # spreads the places, and protects nothing
        try:
            for step in range(most):
                name = f"mcp/place/{server.id}/{(first + step) % most}"
                if await self._state.acquire(name, owner, seconds) is not None:
                    return name, owner
        except BaseException:
            self._here[server.id] -= 1
            raise
        self._here[server.id] -= 1
        raise _too_many(server, f"more than {most} calls at once", 1)

    async def _release(self, name: str, owner: str) -> None:
        try:
            await self._state.release(name, owner)
        except StoreUnavailable:
            return  # the lease ends by itself


def _too_many(server: Server, what: str, seconds: int) -> RequestError:
    return RequestError(
        429,
        f"MCP server {server.name}: {what}. Try again in {seconds} s.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"retry-after": str(seconds)},
    )

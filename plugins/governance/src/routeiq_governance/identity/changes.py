"""How other workers learn that something they cached was changed: a message at once, and a look at the numbers of
changes every two seconds for whoever missed it.

What is cached, and what is dropped, is each cache's own business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import select

from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import changes
from routeiq_sdk import Gateway, StoreUnavailable

log = structlog.get_logger("routeiq.governance.changes")

CHANNEL = "governance.changes"
POLL_SECONDS = 2.0
_RETRY_SECONDS = 1.0
Callback = Callable[[str], Awaitable[None]]


class Changes:
    """Who wants to know of changes, by kind: the name of a table (`keys`, `teams`, ...)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callbacks: dict[str, list[Callback]] = {}
        self._seen: dict[str, int] = {}
        self._gateway: Gateway | None = None
        self._looked = 0.0

    def stale(self, seconds: float) -> bool:
        """Whether the numbers of changes could not be looked at for so long (beside the usual pause)."""
        if self._gateway is None:
            return False
        return self._gateway.clock.monotonic() - self._looked > seconds + 3 * POLL_SECONDS

    def on(self, kind: str, callback: Callback) -> None:
        """Call `callback(id)` when something of this kind was changed; an empty id stands for any of them."""
        self._callbacks.setdefault(kind, []).append(callback)

    async def open(self, gateway: Gateway) -> None:
        """Begin to listen and to look."""
        self._gateway = gateway
        self._seen = await self._versions()
        gateway.spawn("changes: listen", self._listen)
        gateway.spawn("changes: look", self._look)

    async def announce(self, kind: str, id: str = "") -> None:
        """Tell this worker now and all others at once. Call it when the change is committed."""
        await self._tell(kind, id)
        if self._gateway is None:
            return
        try:
            await self._gateway.state.publish(CHANNEL, f"{kind} {id}".encode())
        except StoreUnavailable:
            log.warning("a change is seen by other workers within seconds only: the shared store is away", kind=kind)

    async def _tell(self, kind: str, id: str) -> None:
        for callback in self._callbacks.get(kind, ()):
            try:
                await callback(id)
            except StoreUnavailable:
                log.warning("a cache could not be refreshed; it is tried again", kind=kind)
                self._seen.pop(kind, None)

    async def _listen(self) -> None:
        assert self._gateway is not None
        while True:
            try:
                async with self._gateway.state.subscribe(CHANNEL) as messages:
                    async for message in messages:
                        kind, _, id = message.decode("utf-8", "replace").partition(" ")
                        await self._tell(kind, id)
            except StoreUnavailable:
                pass
            await asyncio.sleep(_RETRY_SECONDS)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                now = await self._versions()
            except StoreUnavailable:
                continue
            for kind, version in now.items():
                if self._seen.get(kind) != version:
                    self._seen[kind] = version
                    await self._tell(kind, "")

    async def _versions(self) -> dict[str, int]:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(changes.c.table, changes.c.version))).all()
        if self._gateway is not None:
            self._looked = self._gateway.clock.monotonic()
        return {row[0]: row[1] for row in rows}

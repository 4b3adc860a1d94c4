"""Telling all workers, and the sinks, that provisioning changed the directory.

The directory tells its own readers itself; this is for what this plugin remembers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from routeiq_sdk import Event, Gateway, StoreUnavailable

log = logging.getLogger(__name__)

CHANNEL = "oidc.changes"
_PAUSE_SECONDS = 1.0


class Changes:
    """`forget` is called in every worker at each change."""

    def __init__(self, gateway: Gateway, forget: Callable[[], None]) -> None:
        self._gateway = gateway
        self._forget = forget

    async def announce(self, what: str, id: str) -> None:
        """Something changed and is written. Without the store the others learn of it within two seconds."""
        self._forget()
        self._gateway.emit(Event("routeiq.scim.v1", self._gateway.clock.now_ns(), {"what": what, "id": id}))
        try:
            await self._gateway.state.publish(CHANNEL, id.encode())
        except StoreUnavailable:
            log.warning("the shared store is away: other workers learn of %s within two seconds", what)

    async def listen(self) -> None:
        """Hear of the changes of other workers, until cancelled."""
        while True:
            try:
                async with self._gateway.state.subscribe(CHANNEL) as messages:
                    self._forget()
                    async for _ in messages:
                        self._forget()
            except StoreUnavailable:
                pass
            await asyncio.sleep(_PAUSE_SECONDS)

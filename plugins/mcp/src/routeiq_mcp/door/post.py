"""Messages between the replicas' doors: to one, or to all.

What they say is the business of who sends and who takes them. A message may be lost; whoever waits has a deadline.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from typing import Any, Final

from routeiq_mcp.wire import messages
from routeiq_sdk import Gateway, StoreUnavailable

_CHANNEL: Final = "mcp.door"
_AGAIN_SECONDS: Final = 1.0

_ADDRESS: Final = re.compile(r"[0-9a-f]{12}")

log = logging.getLogger(__name__)


def is_address(text: str) -> bool:
    """Whether it may be the address of a door."""
    return _ADDRESS.fullmatch(text) is not None


class Post:
    """One door's address among the replicas', and what comes there."""

    def __init__(self, gateway: Gateway) -> None:
        self.address = os.urandom(6).hex()
        self._gateway = gateway
        self._takers: dict[str, Callable[[dict[str, Any]], None]] = {}

    def take(self, what: str, taker: Callable[[dict[str, Any]], None]) -> None:
        """Give messages of the kind `what` to `taker`."""
        self._takers[what] = taker

    async def send(self, to: str, what: str, **said: Any) -> None:
        """Tell one door. Raises `StoreUnavailable`, and others for a message that the store does not take."""
        if to == self.address:
            self._give({"what": what, **said})
            return
        await self._gateway.state.publish(f"{_CHANNEL}.{to}", messages.encode({"what": what, **said}))

    async def tell_all(self, what: str, **said: Any) -> None:
        """Tell all other doors, as far as they can be reached."""
        try:
            await self._gateway.state.publish(_CHANNEL, messages.encode({"what": what, "from": self.address, **said}))
        except StoreUnavailable:
            log.warning("the other replicas cannot be told what an MCP client did: the store is away")

    def start(self) -> None:
        """Listen from now on."""
        self._gateway.spawn(f"mcp door {self.address}", lambda: self._listen(f"{_CHANNEL}.{self.address}"))
        self._gateway.spawn(f"mcp doors {self.address}", lambda: self._listen(_CHANNEL))

    async def _listen(self, channel: str) -> None:
        while True:
            try:
                async with self._gateway.state.subscribe(channel) as heard:
                    async for message in heard:
                        said = messages.decode(message)
                        if said.get("from") != self.address:
                            self._give(said)
            except StoreUnavailable:
                log.warning("other replicas' MCP clients are not heard: the store is away; trying again")
            await asyncio.sleep(_AGAIN_SECONDS)

    def _give(self, said: dict[str, Any]) -> None:
        taker = self._takers.get(said.pop("what", ""))
        if taker is None:
            return  # of a newer version than this one
        try:
            taker(said)
        except Exception:  # one message must not end the listening
            log.exception("a message of another replica could not be understood")

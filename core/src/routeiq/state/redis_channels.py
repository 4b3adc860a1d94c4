"""Messages through Redis: one subscribed connection a process, opened by the first subscriber, again when it is lost.

What is published while it is lost is missed; the queues of subscribers are in `channels`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from routeiq.state.channels import Channels
from routeiq.state.redis_line import CONNECT_SECONDS, LineLost, connect, hang_up
from routeiq.state.redis_link import RedisLink
from routeiq_sdk import StoreUnavailable

log = structlog.get_logger("routeiq.state")

_QUEUE = 1024
_AGAIN_SECONDS = 0.5
_PULSE_SECONDS = 5.0


class RedisChannels:
    """All subscriptions of a process over one connection."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._local = Channels(_QUEUE)
        self._prefix = f"{link.servers.tag}m:"
        self._wanted: Counter[str] = Counter()
        self._heard: dict[str, asyncio.Event] = {}
        self._connection: AbstractConnection | None = None
        self._sending = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def publish(self, channel: str, message: bytes) -> None:
        """As `StateService.publish`."""
        await self._link.call("PUBLISH", self._prefix + channel, message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """As `StateService.subscribe`. Raises `StoreUnavailable` when nobody listens within a second."""
        self._wanted[channel] += 1
        heard = self._heard.setdefault(channel, asyncio.Event())
        try:
            if self._task is None:
                self._task = asyncio.create_task(self._listen(), name="redis messages")
            elif self._wanted[channel] == 1:
                await self._send("SUBSCRIBE", channel)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await heard.wait()
            except TimeoutError:
                raise StoreUnavailable("the state store (redis) cannot be listened to") from None
            async with self._local.subscribe(channel) as received:
                yield received
        finally:
            self._wanted[channel] -= 1
            if not self._wanted[channel]:
                del self._wanted[channel], self._heard[channel]
                await self._send("UNSUBSCRIBE", channel)

    async def aclose(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (LineLost, RedisError, OSError) as error:
                log.warning("the state store's messages are not heard, trying again", reason=str(error))
            finally:
                self._connection = None
                for heard in self._heard.values():
                    heard.clear()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen_once(self) -> None:
        """Listen until the connection ends. A pulse finds one that ended without a word."""
        servers = self._link.servers
        connection = await connect(await servers.find(), tls=servers.place.tls)
        try:
            self._connection = connection
            for channel in tuple(self._wanted):
                await self._send("SUBSCRIBE", channel)
            silent = False
            while True:
                reply = await connection.read_response(timeout=_PULSE_SECONDS)
                if reply is not None:
                    silent = False
                    self._take(reply)
                elif silent:
                    raise LineLost("it fell silent")
                else:
                    silent = True
                    await self._send("PING")
        finally:
            await hang_up(connection)

    async def _send(self, command: str, channel: str | None = None) -> None:
        """Without a connection there is nothing to do: the next one subscribes to all that is wanted."""
        connection = self._connection
        if connection is None:
            return
        words = (command,) if channel is None else (command, self._prefix + channel)
        try:
            async with self._sending:
                await connection.send_command(*words, check_health=False)
        except (RedisError, OSError):
            pass  # The one who reads sees it, too.

    def _take(self, reply: list[bytes]) -> None:
        if len(reply) != 3:
            return
        kind, name, message = reply
        if kind not in (b"message", b"subscribe"):
            return
        channel = name.decode().removeprefix(self._prefix)
        if kind == b"message":
            self._local.publish(channel, message)
        elif channel in self._heard:
            self._heard[channel].set()

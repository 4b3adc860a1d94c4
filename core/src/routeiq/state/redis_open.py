"""Opens a Redis or Valkey store: a link to the server that has the keys, and what works over it.

Which store a gateway opens is decided in `open`.
"""

from __future__ import annotations

from routeiq.state.redis_channels import RedisChannels
from routeiq.state.redis_link import RedisLink
from routeiq.state.redis_meters import RedisMeters
from routeiq.state.redis_servers import RedisServers
from routeiq.state.redis_state import RedisState
from routeiq.state.redis_url import read_redis_url
from routeiq_sdk.gateway import Clock


class RedisStores:
    """State and meters of one Redis place, open."""

    def __init__(self, link: RedisLink) -> None:
        self.link = link
        self._channels = RedisChannels(link)
        self.state = RedisState(link, self._channels)
        self.meters = RedisMeters(link)

    async def ping(self) -> None:
        """Raises `StoreUnavailable` when the server does not answer."""
        await self.link.call("PING")

    async def aclose(self) -> None:
        """Stop listening and close the connections."""
        await self._channels.aclose()
        await self.link.aclose()


async def open_redis(url: str, clock: Clock) -> RedisStores:
    """The store at a URL; see `read_redis_url`. Raises `ConfigError`, or `StoreUnavailable` when it is away."""
    link = RedisLink(RedisServers(read_redis_url(url)), clock)
    await link.start()
    return RedisStores(link)

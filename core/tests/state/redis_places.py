"""How the tests of the Redis store open it: at a real server, a cluster or sentinels, empty, and seen by two processes.

Both contracts are run at each place in `test_redis*.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha1
from typing import Any

import pytest

from routeiq.state.clock import SystemClock
from routeiq.state.redis_line import Word
from routeiq.state.redis_link import RedisLink
from routeiq.state.redis_open import RedisStores, open_redis
from routeiq.state.redis_scripts import Script
from routeiq.state.redis_servers import RedisServers
from routeiq.state.redis_url import read_redis_url
from routeiq_sdk import StoreUnavailable
from routeiq_sdk.gateway import MeterService, StateService

from .contract import StateContract
from .meters_contract import MetersContract

# The server's time with what the test put it forward by, in microseconds.
_TIME = """(function()
  local t = redis.call('TIME')
  local all = t[1] * 1000000 + t[2] + (redis.call('GET', '{routeiq}ahead') or 0)
  local seconds = math.floor(all / 1000000)
  return { seconds, all - seconds * 1000000 }
end)()"""
# What ends by itself ends as much sooner.
_ELAPSE = """
redis.call('INCRBY', KEYS[1], ARGV[1])
for _, key in ipairs(redis.call('KEYS', '{routeiq}*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then
    redis.call('PEXPIRE', key, math.floor(left - ARGV[1] / 1000))
  end
end
"""


@asynccontextmanager
async def stores(url: str) -> AsyncIterator[RedisStores]:
    opened = await open_redis(url, SystemClock())
    try:
        yield opened
    finally:
        await opened.aclose()


async def until_back(opened: RedisStores) -> None:
    """Wait until the store answers again."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await opened.ping()
            except StoreUnavailable:
                await asyncio.sleep(0.005)


@cache
def put_forward(script: Script) -> Script:
    text = script.text.replace("redis.call('TIME')", _TIME)
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest(), script.identified)


class AheadLink(RedisLink):
    """A link to a server whose clock a test can put forward."""

    async def run(self, script: Script, keys: Sequence[str], words: Sequence[Word]) -> Any:
        return await super().run(put_forward(script), keys, words)


class AtAPlace:
    """Inherit before a contract, and give `server` a fixture's value. Leases are long: only a clock put forward ends
    them."""

    ttl = 60.0
    machine_examples = 10
    machine_steps = 40
    server: Any
    first: RedisStores
    ahead = 0

    @asynccontextmanager
    async def emptied(self) -> AsyncIterator[RedisStores]:
        self.server.flush()
        self.ahead = 0
        async with self.seen() as self.first:
            yield self.first

    @asynccontextmanager
    async def seen(self) -> AsyncIterator[RedisStores]:
        link = AheadLink(RedisServers(read_redis_url(self.server.url)), SystemClock())
        await link.start()
        opened = RedisStores(link)
        try:
            yield opened
        finally:
            await opened.aclose()

    async def elapse(self, seconds: float) -> None:
        microseconds = int(seconds * 1e6)
        self.ahead += microseconds
        await self.first.link.call("EVAL", _ELAPSE, 1, "{routeiq}ahead", microseconds)

    def after(self, seconds: float) -> int:
        return time.time_ns() + self.ahead * 1000 + int(seconds * 1e9)


class StateAtAPlace(AtAPlace, StateContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[StateService]:
        async with self.emptied() as opened:
            yield opened.state

    @pytest.fixture
    async def peer(self, state: StateService) -> AsyncIterator[StateService]:
        async with self.seen() as opened:
            yield opened.state


class MetersAtAPlace(AtAPlace, MetersContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[MeterService]:
        async with self.emptied() as opened:
            yield opened.meters

    @pytest.fixture
    async def peer(self, meters: MeterService) -> AsyncIterator[MeterService]:
        async with self.seen() as opened:
            yield opened.meters

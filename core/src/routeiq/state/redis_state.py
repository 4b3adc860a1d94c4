"""Counters, records and leases in Redis or Valkey: the `StateService` of processes on several machines.

Messages are in `redis_channels`, meters in `redis_meters`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from routeiq.state.errors import StateFull
from routeiq.state.redis_channels import RedisChannels
from routeiq.state.redis_link import RedisLink
from routeiq.state.redis_scripts import script

_INCREMENT = script("increment")
_PUT, _PUT_IF, _DELETE = script("put"), script("put_if"), script("delete")
_ACQUIRE, _RENEW, _RELEASE = script("acquire"), script("renew_lease"), script("release")
_PAGE = 256
_NAMES = 5000
_LARGEST = 1024 * 1024
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class RedisLease:
    """A lease that was held by `owner` when it was given."""

    name: str
    owner: str
    epoch: int


class RedisState:
    """State behind a `RedisLink`. Every key has one hash tag, so a cluster holds all of them on one node and each step
    is atomic there; a cluster gives a store that survives a node, not one that is larger than a node.

    Records end by themselves. Their names lie in a sorted set beside them, in code point order, for `scan`. What the
    server may throw away when it is full is its own setting (`maxmemory-policy`): `noeviction` keeps every promise.
    """

    def __init__(self, link: RedisLink, channels: RedisChannels) -> None:
        self._link = link
        self._channels = channels
        self._tag = link.servers.tag

    async def increment(
        self, key: str, by: int, *, limit: int | None = None, ttl_seconds: float | None = None
    ) -> int | None:
        """As `StateService.increment`. The end is set by the step that creates the counter and never moves; `limit`
        refuses steps upwards only. Raises `OverflowError` beyond signed 64 bits."""
        lives = _milliseconds(ttl_seconds)
        if by not in _INT64:
            raise OverflowError(f"counter {key!r} would leave 64 bits")
        if limit is not None and limit not in _INT64:
            limit = min(max(limit, _INT64[0]), _INT64[-1])
        asked = (by, "" if limit is None else limit, lives)
        new = await self._link.run(_INCREMENT, [self._counter(key)], asked)
        return int(new) if new is not None else None

    async def counters(self, keys: Sequence[str]) -> list[int]:
        """As `StateService.counters`."""
        if not keys:
            return []
        return [int(value or 0) for value in await self._link.call("MGET", *(self._counter(key) for key in keys))]

    async def put(self, table: str, key: str, value: bytes, *, ttl_seconds: float | None = None) -> None:
        """As `StateService.put`. The new value has the end given here, or none."""
        lives = _milliseconds(ttl_seconds)
        _refuse_large(f"a record of {table!r}", len(key.encode()) + len(value))
        await self._link.run(_PUT, self._record(table, key), (key, value, lives))

    async def put_if(self, table: str, key: str, value: bytes, *, expected: bytes | None) -> bool:
        """As `StateService.put_if`. A record keeps the end it has; a new one has none."""
        _refuse_large(f"a record of {table!r}", len(key.encode()) + len(value))
        known = () if expected is None else (expected,)
        return bool(await self._link.run(_PUT_IF, self._record(table, key), (key, value, *known)))

    async def get(self, table: str, key: str) -> bytes | None:
        """As `StateService.get`."""
        value: bytes | None = await self._link.call("GET", self._record(table, key)[0])
        return value

    async def delete(self, table: str, key: str) -> bool:
        """As `StateService.delete`."""
        return bool(await self._link.run(_DELETE, self._record(table, key), (key,)))

    async def scan(self, table: str, prefix: str = "") -> AsyncIterator[tuple[str, bytes]]:
        """As `StateService.scan`, in code point order. The names are read first, then the records by pages: one that
        is written or deleted meanwhile may be there or not; no key comes twice."""
        names = await self._scanned(table, prefix)
        for first in range(0, len(names), _PAGE):
            page = names[first : first + _PAGE]
            found = await self._link.call("MGET", *(self._record(table, name)[0] for name in page))
            for name, value in zip(page, found, strict=True):
                if value is not None:
                    yield name, value

    async def acquire(self, name: str, owner: str, ttl_seconds: float) -> RedisLease | None:
        """As `StateService.acquire`. Who holds the lease already gets it again, prolonged, with the same epoch. Epochs
        rise by the server's clock, also after the store forgot everything."""
        lives = _milliseconds(ttl_seconds)
        epoch = await self._link.run(_ACQUIRE, [self._lease(name), f"{self._tag}e"], (owner, lives))
        return RedisLease(name, owner, int(epoch)) if epoch is not None else None

    async def renew(self, name: str, owner: str, ttl_seconds: float) -> bool:
        """As `StateService.renew`."""
        return bool(await self._link.run(_RENEW, [self._lease(name)], (owner, _milliseconds(ttl_seconds))))

    async def release(self, name: str, owner: str) -> None:
        """As `StateService.release`."""
        await self._link.run(_RELEASE, [self._lease(name)], (owner,))

    async def publish(self, channel: str, message: bytes) -> None:
        """As `StateService.publish`. A subscriber that is 1,024 messages behind loses its oldest."""
        _refuse_large(f"a message on {channel!r}", len(message))
        await self._channels.publish(channel, message)

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """As `StateService.subscribe`. What is sent while the connection is lost is missed. Raises `StoreUnavailable`
        when the store is away at the beginning."""
        return self._channels.subscribe(channel)

    async def _scanned(self, table: str, prefix: str) -> list[str]:
        names: list[str] = []
        first = b"[" + prefix.encode()
        last = b"(" + prefix.encode() + b"\xff"  # no byte of UTF-8
        while True:
            page = await self._link.call("ZRANGEBYLEX", self._names(table), first, last, "LIMIT", 0, _NAMES)
            names += (name.decode() for name in page)
            if len(page) < _NAMES:
                return names
            first = b"(" + page[-1]

    def _counter(self, key: str) -> str:
        return f"{self._tag}c:{key}"

    def _lease(self, name: str) -> str:
        return f"{self._tag}l:{name}"

    def _names(self, table: str) -> str:
        return f"{self._tag}n:{table}"

    def _record(self, table: str, key: str) -> list[str]:
        # The length of the table's name parts it from the key, whatever the two consist of.
        return [f"{self._tag}r:{len(table)}:{table}{key}", self._names(table), f"{self._tag}x:{table}"]


def _milliseconds(ttl_seconds: float | None) -> int | str:
    if ttl_seconds is None:
        return ""
    if not ttl_seconds > 0:
        raise ValueError(f"ttl_seconds must be above 0, not {ttl_seconds}")
    return math.ceil(ttl_seconds * 1000)


def _refuse_large(what: str, size: int) -> None:
    if size > _LARGEST:
        raise StateFull(f"{what} has {size} bytes; the bound is {_LARGEST}")

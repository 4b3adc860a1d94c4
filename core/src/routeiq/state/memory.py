"""State of a single process: the `StateService` that needs no server and forgets everything at the end.

No method awaits between reading and writing, so each is atomic on the one event loop that may use it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from routeiq.state.channels import Channels
from routeiq.state.errors import StateFull
from routeiq.state.expiring import NEVER, ExpiringMap
from routeiq_sdk.gateway import Clock

CACHE_SUFFIX = ".cache"
"""A table of this ending may lose its oldest records; see `StateService.put`."""
_MIB = 1024 * 1024
_INT64 = range(-(2**63), 2**63)
_SCAN_TURN = 256


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """How much a process may keep. Beyond a bound a write raises `StateFull`; only tables declared as caches and the
    queues of slow subscribers let go of their oldest instead.

    `records` and `table_bytes` (keys and values) hold for each table, `queue` for each subscriber.
    """

    counters: int = 250_000
    leases: int = 10_000
    records: int = 100_000
    table_bytes: int = 64 * _MIB
    value_bytes: int = 1 * _MIB
    queue: int = 1024


@dataclass(frozen=True, slots=True)
class MemoryLease:
    """A lease that was held by `owner` when it was given."""

    name: str
    owner: str
    epoch: int


class MemoryState:
    """Counters, records, leases and messages in dictionaries.

    Epochs of leases come from one sequence for all names: they rise with each new holder, also after a lease ended,
    and no ended lease has to be remembered. `owner` must be unique to one life of one holder.
    """

    def __init__(self, clock: Clock, *, caches: Collection[str] = (), limits: MemoryLimits | None = None) -> None:
        self.evicted = 0
        self._clock = clock
        self._caches = frozenset(caches)
        self._limits = limits or MemoryLimits()
        self._counters: ExpiringMap[int] = ExpiringMap()
        self._tables: dict[str, ExpiringMap[bytes]] = {}
        self._leases: ExpiringMap[MemoryLease] = ExpiringMap()
        self._epoch = 0
        self._channels = Channels(self._limits.queue)

    @property
    def dropped_messages(self) -> int:
        """Messages that subscribers were too slow for."""
        return self._channels.dropped

    async def increment(
        self, key: str, by: int, *, limit: int | None = None, ttl_seconds: float | None = None
    ) -> int | None:
        """As `StateService.increment`. The end is set by the step that creates the counter and never moves; `limit`
        refuses steps upwards only. Counters are signed 64-bit integers; beyond that `OverflowError`."""
        now = self._clock.monotonic()
        end = _end(now, ttl_seconds)
        self._counters.sweep(now)
        old = self._counters.get(key, now)
        new = (old or 0) + by
        if limit is not None and by > 0 and new > limit:
            return None
        if new not in _INT64:
            raise OverflowError(f"counter {key!r} would leave 64 bits")
        if old is not None:
            end = self._counters.end(key)
        elif len(self._counters) >= self._limits.counters:
            self._counters.sweep(now, steps=math.inf)
            if len(self._counters) >= self._limits.counters:
                raise StateFull(f"{self._limits.counters} counters are in use")
        if new == 0 and end == NEVER:
            # The same as a counter that does not exist, and nothing else would ever remove it.
            self._counters.discard(key)
        else:
            self._counters.set(key, new, end)
        return new

    async def counters(self, keys: Sequence[str]) -> list[int]:
        now = self._clock.monotonic()
        return [self._counters.get(key, now) or 0 for key in keys]

    async def put(self, table: str, key: str, value: bytes, *, ttl_seconds: float | None = None) -> None:
        """As `StateService.put`. The new value has the end given here, or none."""
        now = self._clock.monotonic()
        self._write(table, key, value, now, _end(now, ttl_seconds))

    async def put_if(self, table: str, key: str, value: bytes, *, expected: bytes | None) -> bool:
        """As `StateService.put_if`. A record keeps the end it has; a new one has none."""
        now = self._clock.monotonic()
        records = self._tables.get(table)
        found = records.get(key, now) if records is not None else None
        if found != expected:
            return False
        end = records.end(key) if records is not None and found is not None else NEVER
        self._write(table, key, value, now, end)
        return True

    async def get(self, table: str, key: str) -> bytes | None:
        records = self._tables.get(table)
        return records.get(key, self._clock.monotonic()) if records is not None else None

    async def delete(self, table: str, key: str) -> bool:
        records = self._tables.get(table)
        if records is None:
            return False
        found = records.get(key, self._clock.monotonic()) is not None
        records.discard(key)
        return found

    async def scan(self, table: str, prefix: str = "") -> AsyncIterator[tuple[str, bytes]]:
        """As `StateService.scan`, in code point order. A record that is written or deleted meanwhile may be there or
        not; no key comes twice."""
        records = self._tables.get(table)
        if records is None:
            return
        keys = sorted(key for key in records.keys() if key.startswith(prefix))  # noqa: SIM118
        for turn, key in enumerate(keys):
            if turn % _SCAN_TURN == _SCAN_TURN - 1:
                await asyncio.sleep(0)
            value = records.get(key, self._clock.monotonic())
            if value is not None:
                yield key, value

    async def acquire(self, name: str, owner: str, ttl_seconds: float) -> MemoryLease | None:
        """As `StateService.acquire`. Who holds the lease already gets it again, prolonged, with the same epoch."""
        now = self._clock.monotonic()
        end = _end(now, ttl_seconds)
        self._leases.sweep(now)
        lease = self._leases.get(name, now)
        if lease is not None and lease.owner != owner:
            return None
        if lease is None:
            if len(self._leases) >= self._limits.leases:
                self._leases.sweep(now, steps=math.inf)
                if len(self._leases) >= self._limits.leases:
                    raise StateFull(f"{self._limits.leases} leases are held")
            self._epoch += 1
            lease = MemoryLease(name, owner, self._epoch)
        self._leases.set(name, lease, end)
        return lease

    async def renew(self, name: str, owner: str, ttl_seconds: float) -> bool:
        now = self._clock.monotonic()
        end = _end(now, ttl_seconds)
        lease = self._leases.get(name, now)
        if lease is None or lease.owner != owner:
            return False
        self._leases.set(name, lease, end)
        return True

    async def release(self, name: str, owner: str) -> None:
        lease = self._leases.get(name, self._clock.monotonic())
        if lease is not None and lease.owner == owner:
            self._leases.discard(name)

    async def publish(self, channel: str, message: bytes) -> None:
        """As `StateService.publish`. Never waits: a subscriber that is `limits.queue` messages behind loses its
        oldest, and `dropped_messages` rises."""
        self._refuse_large(f"a message on {channel!r}", len(message))
        self._channels.publish(channel, bytes(message))

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._channels.subscribe(channel)

    def _write(self, table: str, key: str, value: bytes, now: float, end: float) -> None:
        weight = _weigh(key, value)
        self._refuse_large(f"a record of {table!r}", weight)
        records = self._tables.setdefault(table, ExpiringMap(_weigh))
        records.sweep(now)
        if not self._fits(records, key, weight):
            records.sweep(now, steps=math.inf)
        while not self._fits(records, key, weight):
            oldest = records.oldest()
            is_cache = table in self._caches or table.endswith(CACHE_SUFFIX)
            if not is_cache or oldest is None:
                raise StateFull(
                    f"table {table!r} is full: {len(records)} records, {records.weight} bytes "
                    f"(bounds {self._limits.records} and {self._limits.table_bytes})"
                )
            records.discard(oldest)
            self.evicted += 1
        records.set(key, bytes(value), end)

    def _fits(self, records: ExpiringMap[bytes], key: str, weight: int) -> bool:
        old = records.weight_of(key)
        count = len(records) + (old is None)
        return count <= self._limits.records and records.weight - (old or 0) + weight <= self._limits.table_bytes

    def _refuse_large(self, what: str, size: int) -> None:
        if size > self._limits.value_bytes:
            raise StateFull(f"{what} has {size} bytes; the bound is {self._limits.value_bytes}")


def _weigh(key: str, value: bytes) -> int:
    return len(key.encode()) + len(value)


def _end(now: float, ttl_seconds: float | None) -> float:
    if ttl_seconds is None:
        return NEVER
    if not ttl_seconds > 0:
        raise ValueError(f"ttl_seconds must be above 0, not {ttl_seconds}")
    return now + ttl_seconds

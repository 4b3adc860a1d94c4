"""Fakes of the core's services: time that stands still, a scripted outside world, state and queues in memory.

They keep the promises of `routeiq_sdk.gateway`; durability and the address rules are the core's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from routeiq_sdk.errors import RouteIQError


class FakeClock:
    """A clock that moves when told to."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns
        self._monotonic = 0.0

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return self._now_ns

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now_ns += int(seconds * 1e9)
        self._monotonic += seconds


@dataclass(frozen=True, slots=True)
class EgressCall:
    """A call that a plugin made."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    untrusted: bool = False
    tenants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """What the outside answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def read(self) -> bytes:
        """The whole body."""
        return self.body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives: in one piece."""
        yield self.body


class FakeEgress:
    """Outbound HTTP to nowhere. Answers 200 with an empty body until told otherwise; `calls` shows what was asked,
    `checked` what a library of its own shall be given."""

    def __init__(self) -> None:
        self.calls: list[EgressCall] = []
        self.checked: list[str] = []
        self._forbidden: set[str] = set()
        self._answers: list[FakeAnswer] = []
        self._default = FakeAnswer()
        self._error: BaseException | None = None
        self._open: asyncio.Event | None = None

    def answer(self, *answers: FakeAnswer) -> None:
        """Give these answers, in order; the last one again and again."""
        self._answers = list(answers[:-1])
        self._default = answers[-1]

    def fail(self, error: BaseException | None = None) -> None:
        """Let every call fail with `error` (a `ConnectionError` unless given)."""
        self._error = error or ConnectionError("the outside is down")

    def forbid(self, *targets: str) -> None:
        """Let `check` refuse these."""
        self._forbidden.update(targets)

    def hang(self) -> None:
        """Let every call wait until `release`."""
        self._open = asyncio.Event()

    def release(self) -> None:
        """Let calls that hang go on."""
        if self._open is not None:
            self._open.set()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float = 30.0,
        max_bytes: int = 10 * 1024 * 1024,
        untrusted: bool = False,
        tenants: Iterable[str] = (),
    ) -> AbstractAsyncContextManager[FakeAnswer]:
        """Note the call and give the next answer."""

        @asynccontextmanager
        async def answering() -> AsyncIterator[FakeAnswer]:
            self.calls.append(EgressCall(method, url, dict(headers or {}), body, untrusted, tuple(tenants)))
            if self._open is not None:
                async with asyncio.timeout(timeout_seconds):
                    await self._open.wait()
            if self._error is not None:
                raise self._error
            yield self._answers.pop(0) if self._answers else self._default

        return answering()

    async def check(self, target: str) -> None:
        """Note the target; refuse what `forbid` was told."""
        self.checked.append(target)
        if target in self._forbidden:
            raise RouteIQError(f"outbound call to {target} refused")

    async def vet(self, url: str, *, tenants: Iterable[str] = ()) -> None:
        """Note the URL; refuse what `forbid` was told."""
        await self.check(url)

    async def pinned(self, url: str, *, untrusted: bool = False, tenants: Iterable[str] = ()) -> Sequence[str]:
        """Note the URL; refuse what `forbid` was told. Every name is at 192.0.2.1."""
        await self.check(url)
        return ("192.0.2.1",)


@dataclass(frozen=True, slots=True)
class FakeLease:
    """A lease that somebody holds."""

    owner: str
    epoch: int
    ends: float


class FakeState:
    """Shared state of one process. Ends of life follow the fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._counters: dict[str, tuple[int, float | None]] = {}
        self._tables: dict[str, dict[str, tuple[bytes, float | None]]] = {}
        self._leases: dict[str, FakeLease] = {}
        self._epochs: dict[str, int] = {}
        self._channels: dict[str, list[asyncio.Queue[bytes]]] = {}

    async def increment(
        self, key: str, by: int, *, limit: int | None = None, ttl_seconds: float | None = None
    ) -> int | None:
        """Add `by`; `None`, unchanged, when it would pass `limit`. The end of life is set when the key is new."""
        value, ends = self._counters.get(key, (0, None))
        if not self._lives(ends):
            value, ends = 0, None
        if limit is not None and value + by > limit:
            return None
        if value == 0 and ends is None:
            ends = self._end(ttl_seconds)
        self._counters[key] = (value + by, ends)
        return value + by

    async def counters(self, keys: Sequence[str]) -> list[int]:
        """Values of several counters."""
        found = [self._counters.get(key, (0, None)) for key in keys]
        return [value if self._lives(ends) else 0 for value, ends in found]

    async def put(self, table: str, key: str, value: bytes, *, ttl_seconds: float | None = None) -> None:
        """Write a record."""
        self._tables.setdefault(table, {})[key] = (value, self._end(ttl_seconds))

    async def put_if(self, table: str, key: str, value: bytes, *, expected: bytes | None) -> bool:
        """Write a record only if it still is `expected`."""
        if await self.get(table, key) != expected:
            return False
        ends = None if expected is None else self._tables[table][key][1]
        self._tables.setdefault(table, {})[key] = (value, ends)
        return True

    async def get(self, table: str, key: str) -> bytes | None:
        """Read a record."""
        value, ends = self._tables.get(table, {}).get(key, (None, None))
        return value if self._lives(ends) else None

    async def delete(self, table: str, key: str) -> bool:
        """Delete a record; says whether there was one."""
        there = await self.get(table, key) is not None
        self._tables.get(table, {}).pop(key, None)
        return there

    async def scan(self, table: str, prefix: str = "") -> AsyncIterator[tuple[str, bytes]]:
        """All records of a table whose key starts with `prefix`, in key order."""
        for key in sorted(self._tables.get(table, {})):
            value = await self.get(table, key)
            if key.startswith(prefix) and value is not None:
                yield key, value

    async def acquire(self, name: str, owner: str, ttl_seconds: float) -> FakeLease | None:
        """Take a lease, or `None` when another holds it."""
        held = self._held(name)
        if held is not None and held.owner != owner:
            return None
        epoch = held.epoch if held is not None else self._epochs.get(name, 0) + 1
        self._epochs[name] = epoch
        lease = self._leases[name] = FakeLease(owner, epoch, self._clock.monotonic() + ttl_seconds)
        return lease

    async def renew(self, name: str, owner: str, ttl_seconds: float) -> bool:
        """Prolong a lease one holds."""
        held = self._held(name)
        if held is None or held.owner != owner:
            return False
        self._leases[name] = FakeLease(owner, held.epoch, self._clock.monotonic() + ttl_seconds)
        return True

    async def release(self, name: str, owner: str) -> None:
        """Give a lease back."""
        held = self._held(name)
        if held is not None and held.owner == owner:
            del self._leases[name]

    async def publish(self, channel: str, message: bytes) -> None:
        """Send a message to all subscribers."""
        for queue in self._channels.get(channel, ()):
            queue.put_nowait(message)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Receive messages published while the context is open."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues = self._channels.setdefault(channel, [])
        queues.append(queue)
        try:
            yield _messages(queue)
        finally:
            queues.remove(queue)

    def _end(self, ttl_seconds: float | None) -> float | None:
        return None if ttl_seconds is None else self._clock.monotonic() + ttl_seconds

    def _lives(self, ends: float | None) -> bool:
        return ends is None or self._clock.monotonic() < ends

    def _held(self, name: str) -> FakeLease | None:
        lease = self._leases.get(name)
        return lease if lease is not None and self._clock.monotonic() < lease.ends else None


async def _messages(queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while True:
        yield await queue.get()


class FakeSpool:
    """A queue in memory. `entries` shows what was not forgotten."""

    def __init__(self) -> None:
        self.entries: dict[int, bytes] = {}
        self._last = 0

    @property
    def size(self) -> int:
        """Bytes of what was not forgotten."""
        return sum(map(len, self.entries.values()))

    async def append(self, payload: bytes) -> int:
        """Keep one entry."""
        self._last += 1
        self.entries[self._last] = payload
        return self._last

    async def read(self, after: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """Entries above `after`, in order."""
        for number in [number for number in self.entries if number > after]:
            yield number, self.entries[number]

    async def forget(self, upto: int) -> None:
        """Drop entries up to this number."""
        for number in [number for number in self.entries if number <= upto]:
            del self.entries[number]

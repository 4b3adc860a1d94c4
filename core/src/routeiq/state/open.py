"""Opens the store that was chosen: the one place that knows all kinds. A driver is imported only when it is needed.

How a store works is in its own modules, which one is chosen in `routeiq.config.store_choice`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from routeiq.state.memory import MemoryState
from routeiq.state.memory_meters import MemoryMeters
from routeiq_sdk import ConfigError, StoreUnavailable
from routeiq_sdk.gateway import Clock, MeterService, StateService
from routeiq_sdk.values.health import Health

if TYPE_CHECKING:
    from routeiq.config.store_choice import StoreChoice

_EXTRAS = {"sqlite": "sql", "postgresql": "postgres", "redis": "redis"}
_NEEDED = frozenset({"sqlalchemy", "alembic", "asyncpg", "redis"})
_HEALTH_SECONDS = 1.0
_PING_SECONDS = 1.5


class Opened(Protocol):
    """What the module of a store with connections hands over."""

    @property
    def state(self) -> StateService:
        """Counters, records, leases, messages."""

    @property
    def meters(self) -> MeterService:
        """Quotas and budgets."""

    async def ping(self) -> None:
        """Raises `StoreUnavailable` when the store does not answer."""

    async def aclose(self) -> None:
        """Give all connections back."""


class Stores:
    """The store of a process, open: its kind by `name`, and why it was chosen."""

    def __init__(self, name: str, why: str, clock: Clock, opened: Opened | None = None) -> None:
        self.name = name
        self.why = why
        self.state: StateService = opened.state if opened is not None else MemoryState(clock)
        self.meters: MeterService = opened.meters if opened is not None else MemoryMeters(clock)
        self._opened = opened
        self._clock = clock
        self._looked_at = float("-inf")
        self._health = Health()
        self._looking = asyncio.Lock()

    async def health(self) -> Health:
        """`degraded` while the store is away: what needs it is refused, the rest is served. Looks once a second."""
        if self._opened is None:
            return self._health
        async with self._looking:
            if self._clock.monotonic() - self._looked_at >= _HEALTH_SECONDS:
                self._health = await self._look(self._opened)
                self._looked_at = self._clock.monotonic()
        return self._health

    @property
    def up(self) -> bool:
        """Whether it answered when it was last looked at."""
        return self._health.status == "ok"

    async def aclose(self) -> None:
        """Close it."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _look(self, opened: Opened) -> Health:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await opened.ping()
        except (StoreUnavailable, TimeoutError):
            return Health("degraded", f"the {self.name} store does not answer")
        return Health()


def in_memory(clock: Clock) -> Stores:
    """The store that needs nothing and is nobody else's."""
    return Stores("memory", "nothing else is needed", clock)


async def open_stores(choice: StoreChoice, clock: Clock) -> Stores:
    """Open a store. Raises `ConfigError`, or `StoreUnavailable` when it is away."""
    with explained(choice):
        return Stores(choice.kind, choice.why, clock, await _open(choice, clock))


@contextmanager
def explained(choice: StoreChoice) -> Iterator[None]:
    """Errors of opening a store, with the reason why it is this one; a missing driver as `ConfigError`."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise ConfigError(
            f"the {choice.kind} store ({choice.why}) needs the package {error.name}, which is not installed",
            mend=f'pip install "routeiq[{_EXTRAS[choice.kind]}]"',
        ) from None
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error} (the state store: {choice.why})") from None


async def _open(choice: StoreChoice, clock: Clock) -> Opened | None:
    url = choice.url.reveal()
    if choice.kind == "redis":
        from routeiq.state.redis_open import open_redis

        opened: Opened = await open_redis(url, clock)
        return opened
    if choice.kind == "postgresql":
        from routeiq.state.sql_open import open_postgres

        return await open_postgres(url, clock)
    if choice.path is not None:
        from routeiq.state.sql_open import open_sqlite

        return await open_sqlite(choice.path, clock)
    return None

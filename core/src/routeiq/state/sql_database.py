"""Short transactions on a database: deadline, retries of what lost a race, the breaker, one clear error.

What a transaction does belongs to `sql_state` and `sql_meters`; how it reaches its database to `sql_sqlite` and
`sql_postgres`.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, exc

from routeiq.state.breaker import Breaker
from routeiq_sdk import StoreUnavailable
from routeiq_sdk.gateway import Clock

T = TypeVar("T")

Work = Callable[[Connection], T]
"""A transaction: statements on a connection, without waiting for anything else. It may run more than once. When it
rolls the connection back itself, nothing is committed and its result stands."""

CALL_SECONDS = 1.0
"""How long a call may take, unless it says otherwise."""
_TRIES = 20
_LONGEST_PAUSE_SECONDS = 0.02
_RACES = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected


class LostRace(Exception):
    """Another transaction was quicker: this one is rolled back and begins anew."""


class Unsure(Exception):
    """The connection ended during a commit, of which nobody knows whether it came to pass."""


class Busy(Exception):
    """Another process kept the database to itself for too long."""


class SqlDatabase(ABC):
    """One database. `epoch` names its present life: it changes when a crash or failover may have lost commits."""

    name: str
    epoch: str = ""

    def __init__(self, clock: Clock, call_seconds: float = CALL_SECONDS) -> None:
        self.clock = clock
        self.call_seconds = call_seconds
        self.breaker = Breaker(clock)

    @abstractmethod
    def now_ns(self) -> int:
        """Unix time by the clock that all processes of this database share."""

    @abstractmethod
    async def aclose(self) -> None:
        """Give everything back."""

    @abstractmethod
    async def _once(self, work: Work[T], writing: bool) -> T:
        """Run one transaction once."""

    async def write(self, work: Work[T], *, seconds: float | None = None) -> T:
        """Run a transaction that writes and commit it. Raises `StoreUnavailable`; then it may have been committed."""
        return await self._call(work, True, seconds or self.call_seconds)

    async def read(self, work: Work[T], *, seconds: float | None = None) -> T:
        """Run work that reads by one statement. Raises `StoreUnavailable`."""
        return await self._call(work, False, seconds or self.call_seconds)

    async def _call(self, work: Work[T], writing: bool, seconds: float) -> T:
        if not self.breaker.admits():
            raise StoreUnavailable(f"the state store ({self.name}) is away: {self.breaker.reason}")
        try:
            async with asyncio.timeout(seconds):
                result = await self._until_won(work, writing)
        except TimeoutError:
            raise self._failed(f"no answer within {seconds:g} s") from None
        except Unsure:
            raise self._failed("the connection ended during a commit") from None
        except Busy as error:
            raise self._failed("other processes keep it busy") from error
        except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
            refused = isinstance(error, ConnectionRefusedError | FileNotFoundError)
            raise self._failed(_told(error), certain=refused) from None
        except (StoreUnavailable, ValueError, OverflowError):
            self.breaker.succeeded()
            raise
        self.breaker.succeeded()
        return result

    async def _until_won(self, work: Work[T], writing: bool) -> T:
        for attempt in range(_TRIES):
            try:
                return await self._once(work, writing)
            except LostRace:
                pass
            except exc.IntegrityError:
                pass  # two transactions created the same row
            except exc.DBAPIError as error:
                # A pooled connection that ended while nobody used it: the next one is new. Nothing was committed.
                stale = error.connection_invalidated and attempt == 0
                if not stale and _sqlstate(error) not in _RACES:
                    raise
            await asyncio.sleep(random.uniform(0, min(0.001 * 2**attempt, _LONGEST_PAUSE_SECONDS)))  # noqa: S311
        raise TimeoutError

    def _failed(self, reason: str, *, certain: bool = False) -> StoreUnavailable:
        self.breaker.failed(reason, certain=certain)
        return StoreUnavailable(f"the state store ({self.name}) cannot be reached: {reason}")


def committed(connection: Connection, work: Work[T]) -> T:
    """Run `work` in a transaction of its own, and commit unless it rolled back itself."""
    with connection.begin() as transaction:
        result = work(connection)
        if transaction.is_active:
            try:
                transaction.commit()
            except exc.DBAPIError as error:
                if error.connection_invalidated:
                    raise Unsure from error
                raise
        return result


def _told(error: Exception) -> str:
    """What went wrong, by class alone: messages of drivers may hold addresses and values."""
    cause = getattr(error, "orig", None) or error
    code = _sqlstate(error)
    deeper = cause.__cause__ or cause
    return f"{type(deeper).__name__}{f' {code}' if code else ''}"


def _sqlstate(error: Exception) -> str | None:
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    return str(code) if code else None

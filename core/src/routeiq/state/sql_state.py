"""Counters, records and leases in a database: the `StateService` of processes that share one.

Messages are the business of `sql_channels`, removing what has ended that of `sql_sweeper`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, LargeBinary, Row, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from routeiq.state.sql_channels import SqlChannels
from routeiq.state.sql_database import LostRace, SqlDatabase
from routeiq.state.sql_tables import counters, leases, records, sequences

_INT64 = range(-(2**63), 2**63)
_PAGE = 256
_MILLION = 1_000_000
_BILLION = 1_000_000_000


def _alive(ends: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(ends.is_(None), ends > _NOW)


def _given(name: str) -> BindParameter[Any]:
    """A parameter whose name is no column's: an UPDATE keeps those for itself."""
    return bindparam(f"p_{name}")


_NOW: BindParameter[int] = bindparam("now")
_COUNTER = select(counters.c.value, counters.c.ends).where(counters.c.key == _given("key")).with_for_update()
_COUNTERS = select(counters.c.key, counters.c.value).where(
    counters.c.key.in_(bindparam("keys", expanding=True)), _alive(counters.c.ends)
)
_ADD_COUNTER = insert(counters)
_SET_COUNTER = update(counters).where(counters.c.key == _given("key"))
_DROP_COUNTER = delete(counters).where(counters.c.key == _given("key"))
_THE_RECORD = and_(records.c.table == _given("table"), records.c.key == _given("key"))
_RECORD = select(records.c.value).where(_THE_RECORD, _alive(records.c.ends))
_LOCKED_RECORD = select(records.c.value, records.c.ends).where(_THE_RECORD).with_for_update()
_ADD_RECORD = insert(records)
_SET_RECORD = update(records).where(_THE_RECORD)
_DROP_RECORD = delete(records).where(_THE_RECORD)
_SCAN = (
    select(records.c.key, records.c.value)
    .where(
        records.c.table == _given("table"),
        records.c.key >= bindparam("first", type_=LargeBinary),
        records.c.key < bindparam("behind", type_=LargeBinary),
        _alive(records.c.ends),
    )
    .order_by(records.c.key)
    .limit(_PAGE)
)
_LEASE = select(leases.c.owner, leases.c.epoch, leases.c.ends).where(leases.c.name == _given("name")).with_for_update()
_ADD_LEASE = insert(leases)
_SET_LEASE = update(leases).where(leases.c.name == _given("name"))
_MY_LEASE = and_(leases.c.name == _given("name"), leases.c.owner == _given("owner"))
_RENEW_LEASE = update(leases).where(_MY_LEASE, leases.c.ends > _NOW)
_DROP_LEASE = delete(leases).where(_MY_LEASE)
_EPOCH = select(sequences.c.value).where(sequences.c.name == "epoch").with_for_update()
_ADD_EPOCH = insert(sequences).values(name="epoch")
_SET_EPOCH = update(sequences).where(sequences.c.name == "epoch")


@dataclass(frozen=True, slots=True)
class SqlLease:
    """A lease that was held by `owner` when it was given."""

    name: str
    owner: str
    epoch: int


class SqlState:
    """State in the tables of a `SqlDatabase`. Ends are by the clock of that database."""

    def __init__(self, database: SqlDatabase, channels: SqlChannels) -> None:
        self._database = database
        self._channels = channels

    async def increment(
        self, key: str, by: int, *, limit: int | None = None, ttl_seconds: float | None = None
    ) -> int | None:
        """As `StateService.increment`; the end is set by the step that creates the counter. Raises `OverflowError`
        beyond 64 bits."""
        span = _nanoseconds(ttl_seconds)

        def step(connection: Connection) -> int | None:
            now = self._database.now_ns()
            row = connection.execute(_COUNTER, {"p_key": key}).one_or_none()
            old = _unless_ended(row, now)
            value = (old.value if old is not None else 0) + by
            if limit is not None and by > 0 and value > limit:
                connection.rollback()
                return None
            if value not in _INT64:
                raise OverflowError(f"counter {key!r} would leave 64 bits")
            ends = old.ends if old is not None else _end(now, span)
            if row is None:
                connection.execute(_ADD_COUNTER, {"key": key, "value": value, "ends": ends})
            elif value == 0 and ends is None:
                connection.execute(_DROP_COUNTER, {"p_key": key})
            else:
                connection.execute(_SET_COUNTER, {"p_key": key, "value": value, "ends": ends})
            return value

        return await self._database.write(step)

    async def counters(self, keys: Sequence[str]) -> list[int]:
        """As `StateService.counters`."""
        if not keys:
            return []

        def look(connection: Connection) -> dict[str, int]:
            rows = connection.execute(_COUNTERS, {"keys": list(keys), "now": self._database.now_ns()})
            return {row.key: row.value for row in rows}

        found = await self._database.read(look)
        return [found.get(key, 0) for key in keys]

    async def put(self, table: str, key: str, value: bytes, *, ttl_seconds: float | None = None) -> None:
        """As `StateService.put`. The new value has the end given here, or none."""
        span = _nanoseconds(ttl_seconds)

        def step(connection: Connection) -> None:
            written = {"value": bytes(value), "ends": _end(self._database.now_ns(), span)}
            if not connection.execute(_SET_RECORD, {"p_table": table, "p_key": key, **written}).rowcount:
                connection.execute(_ADD_RECORD, {"table": table, "key": key, **written})

        await self._database.write(step)

    async def put_if(self, table: str, key: str, value: bytes, *, expected: bytes | None) -> bool:
        """As `StateService.put_if`. A record keeps the end it has; a new one has none."""
        named = {"p_table": table, "p_key": key}

        def step(connection: Connection) -> bool:
            now = self._database.now_ns()
            row = connection.execute(_LOCKED_RECORD, named).one_or_none()
            old = _unless_ended(row, now)
            if (old.value if old is not None else None) != expected:
                connection.rollback()
                return False
            written = {"value": bytes(value), "ends": old.ends if old is not None else None}
            if row is not None:
                connection.execute(_SET_RECORD, {**named, **written})
            else:
                connection.execute(_ADD_RECORD, {"table": table, "key": key, **written})
            return True

        return await self._database.write(step)

    async def get(self, table: str, key: str) -> bytes | None:
        """As `StateService.get`."""

        def look(connection: Connection) -> bytes | None:
            asked = {"p_table": table, "p_key": key, "now": self._database.now_ns()}
            value = connection.execute(_RECORD, asked).scalar()
            return bytes(value) if value is not None else None

        return await self._database.read(look)

    async def delete(self, table: str, key: str) -> bool:
        """As `StateService.delete`."""
        named = {"p_table": table, "p_key": key}

        def step(connection: Connection) -> bool:
            row = connection.execute(_LOCKED_RECORD, named).one_or_none()
            if row is None:
                connection.rollback()
                return False
            connection.execute(_DROP_RECORD, named)
            return _unless_ended(row, self._database.now_ns()) is not None

        return await self._database.write(step)

    async def scan(self, table: str, prefix: str = "") -> AsyncIterator[tuple[str, bytes]]:
        """As `StateService.scan`, in code point order, read in pages. A record that is written or deleted meanwhile
        may be there or not; no key comes twice."""
        first = prefix.encode("utf-8", "surrogatepass")
        behind = first[:-1] + bytes([first[-1] + 1]) if first else b"\xff"

        def look(connection: Connection) -> list[tuple[str, bytes]]:
            asked = {"p_table": table, "first": first, "behind": behind, "now": self._database.now_ns()}
            return [(row.key, bytes(row.value)) for row in connection.execute(_SCAN, asked)]

        while True:
            page = await self._database.read(look)
            for pair in page:
                yield pair
            if len(page) < _PAGE:
                return
            first = page[-1][0].encode("utf-8", "surrogatepass") + b"\x00"

    async def acquire(self, name: str, owner: str, ttl_seconds: float) -> SqlLease | None:
        """As `StateService.acquire`. Who holds the lease already gets it again, prolonged, with the same epoch."""
        span = _nanoseconds(ttl_seconds)

        def step(connection: Connection) -> SqlLease | None:
            now = self._database.now_ns()
            row = connection.execute(_LEASE, {"p_name": name}).one_or_none()
            old = _unless_ended(row, now)
            if old is not None and old.owner != owner:
                connection.rollback()
                return None
            epoch = old.epoch if old is not None else _next_epoch(connection, now)
            held = {"owner": owner, "epoch": epoch, "ends": _end(now, span)}
            if row is None:
                connection.execute(_ADD_LEASE, {"name": name, **held})
            else:
                connection.execute(_SET_LEASE, {"p_name": name, **held})
            return SqlLease(name, owner, epoch)

        return await self._database.write(step)

    async def renew(self, name: str, owner: str, ttl_seconds: float) -> bool:
        """As `StateService.renew`."""
        span = _nanoseconds(ttl_seconds)

        def step(connection: Connection) -> bool:
            now = self._database.now_ns()
            asked = {"p_name": name, "p_owner": owner, "now": now, "ends": _end(now, span)}
            return connection.execute(_RENEW_LEASE, asked).rowcount > 0

        return await self._database.write(step)

    async def release(self, name: str, owner: str) -> None:
        """As `StateService.release`."""

        def step(connection: Connection) -> None:
            connection.execute(_DROP_LEASE, {"p_name": name, "p_owner": owner})

        await self._database.write(step)

    async def publish(self, channel: str, message: bytes) -> None:
        """As `StateService.publish`."""
        await self._channels.publish(channel, bytes(message))

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """As `StateService.subscribe`. Messages that are sent while the database is away from here are not seen."""
        return self._channels.subscribe(channel)


def _unless_ended(row: Row[*tuple[Any, ...]] | None, now: int) -> Row[Any] | None:
    return row if row is not None and (row.ends is None or row.ends > now) else None


def _next_epoch(connection: Connection, now: int) -> int:
    last = connection.execute(_EPOCH).scalar()
    if last is None:
        # A flushed database must not begin at an epoch that it gave before.
        epoch = now // _MILLION
        connection.execute(_ADD_EPOCH, {"value": epoch})
    else:
        epoch = int(last) + 1
        if not connection.execute(_SET_EPOCH, {"value": epoch}).rowcount:
            raise LostRace
    return epoch


def _nanoseconds(ttl_seconds: float | None) -> int | None:
    if ttl_seconds is None:
        return None
    if not ttl_seconds > 0:
        raise ValueError(f"ttl_seconds must be above 0, not {ttl_seconds}")
    return int(ttl_seconds * _BILLION)


def _end(now: int, span: int | None) -> int | None:
    return None if span is None else now + span

"""Meters and holds in a database: the `MeterService` of processes that share one. A call is one transaction.

What a hold may take is decided by `admission`; how holds are written down by `sql_holds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from routeiq.state.admission import REMEMBERED_SECONDS, admit, check_asked
from routeiq.state.sql_database import SqlDatabase
from routeiq.state.sql_holds import HoldRows
from routeiq.state.sql_levels import MeterRows, lost, mark
from routeiq_sdk import MetersLost
from routeiq_sdk.values.meters import Charge, Held, Level, Overdue, Pace, Posting, Refused

_BILLION = 1_000_000_000
_RESTORE_SECONDS = 30.0


class SqlMeters:
    """Meters in the tables of a `SqlDatabase`, whose commits outlive a process: they are lost when the tables were
    emptied, when the database was never restored, or when a crash or failover may have lost its last commits."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def reserve(
        self,
        hold: str,
        charges: Sequence[Charge],
        paces: Sequence[Pace] = (),
        *,
        part: int = 0,
        most: int = 0,
        least: int = 0,
        seconds: float = 120.0,
        note: bytes = b"",
        forced: bool = False,
    ) -> Held | Refused:
        """As `MeterService.reserve`."""
        check_asked(charges, paces)
        names = {name for charge in charges for name in (charge.meter, charge.previous) if name is not None}

        def step(connection: Connection) -> Held | Refused:
            now = self._database.now_ns()
            known, current = HoldRows(connection).find(hold)
            if known is not None and known.ended(now):
                return Refused("", ended=True)
            if known is not None and part in known.parts:
                return known.again(part)
            if current != self._database.epoch and not forced:
                raise MetersLost("the meters of the state store are not restored yet")
            rows = MeterRows(connection, now)
            taken = {name: level.taken for name, level in rows.lock(names).items()}
            dues = rows.dues([pace.meter for pace in paces])
            got = admit(charges, paces, taken, dues, now, most=most, least=least, forced=forced)
            if isinstance(got, Refused):
                connection.rollback()
                return got
            ends = {charge.meter: charge.ends for charge in charges}
            rows.add({meter: (amount, amount) for meter, amount in got.amounts.items()}, ends)
            rows.pace(got.dues)
            answer = Held(got.units, got.left, got.over)
            HoldRows(connection).grow(
                hold, known, part, answer, got.amounts, due=now + int(seconds * _BILLION), note=note
            )
            return answer

        return await self._database.write(step)

    async def settle(self, hold: str, used: Sequence[Posting]) -> bool:
        """As `MeterService.settle`."""
        sums, ends = _summed(used)

        def step(connection: Connection) -> bool:
            now = self._database.now_ns()
            known, _ = HoldRows(connection).find(hold)
            if known is not None and known.ended(now):
                return False
            held = known.amounts if known is not None and known.due is not None else {}
            rows = MeterRows(connection, now)
            rows.lock({*sums, *held})
            changes = {name: (sums.get(name, 0) - held.get(name, 0), -held.get(name, 0)) for name in {*sums, *held}}
            rows.add(changes, ends, only_known=held.keys() - sums.keys())
            HoldRows(connection).end(hold, known, until=now + int(REMEMBERED_SECONDS * _BILLION))
            return True

        return await self._database.write(step)

    async def renew(self, holds: Sequence[str], seconds: float) -> list[str]:
        """As `MeterService.renew`."""
        if not holds:
            return []

        def step(connection: Connection) -> set[str]:
            due = self._database.now_ns() + int(seconds * _BILLION)
            return HoldRows(connection).prolong(holds, due)

        known = await self._database.write(step)
        return [hold for hold in holds if hold not in known]

    async def overdue(self, most: int = 100) -> list[Overdue]:
        """As `MeterService.overdue`."""

        def look(connection: Connection) -> list[Overdue]:
            return HoldRows(connection).overdue(self._database.now_ns(), most)

        return await self._database.read(look)

    async def levels(self, meters: Sequence[str]) -> list[Level]:
        """As `MeterService.levels`."""
        if not meters:
            return []

        def look(connection: Connection) -> Mapping[str, Level]:
            return MeterRows(connection, self._database.now_ns()).read(set(meters))

        found = await self._database.read(look)
        return [found.get(meter, Level()) for meter in meters]

    async def adjust(self, postings: Sequence[Posting]) -> None:
        """As `MeterService.adjust`."""
        sums, ends = _summed(postings)
        if not sums:
            return

        def step(connection: Connection) -> None:
            rows = MeterRows(connection, self._database.now_ns())
            rows.lock(sums.keys())
            rows.add({name: (amount, 0) for name, amount in sums.items()}, ends)

        await self._database.write(step)

    async def lost(self) -> bool:
        """As `MeterService.lost`."""
        return await self._database.read(lambda connection: lost(connection, self._database.epoch))

    async def restore(self, postings: Sequence[Posting]) -> bool:
        """As `MeterService.restore`."""
        sums, ends = _summed(postings)

        def step(connection: Connection) -> bool:
            if not lost(connection, self._database.epoch):
                connection.rollback()
                return False
            mark(connection, self._database.epoch)
            rows = MeterRows(connection, self._database.now_ns())
            rows.forget_all_but_held()
            rows.lock(sums.keys())
            rows.add({name: (amount, 0) for name, amount in sums.items()}, ends)
            return True

        return await self._database.write(step, seconds=_RESTORE_SECONDS)


def _summed(postings: Sequence[Posting]) -> tuple[dict[str, int], dict[str, int | None]]:
    """Amounts by meter, and the end that the first posting of each names."""
    sums: dict[str, int] = {}
    ends: dict[str, int | None] = {}
    for posting in postings:
        sums[posting.meter] = sums.get(posting.meter, 0) + posting.amount
        ends.setdefault(posting.meter, posting.ends)
    return sums, ends

"""The rows of meters and paces inside a transaction, and the mark that they were restored.

When to call which is the business of `sql_meters`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, insert, select, update

from routeiq.state.admission import exact
from routeiq.state.sql_database import LostRace
from routeiq.state.sql_tables import marks, meters, paces
from routeiq_sdk.values.meters import Level

_NAMES: BindParameter[Any] = bindparam("names", expanding=True)
_READ = select(meters.c.name, meters.c.taken, meters.c.held, meters.c.ends).where(meters.c.name.in_(_NAMES))
# Everybody locks in the order of names, so no two transactions wait for each other.
_LOCK = _READ.order_by(meters.c.name).with_for_update()
_LOCK_ALL = select(func.count()).select_from(select(meters.c.name).order_by(meters.c.name).with_for_update().subquery())
_ADD = insert(meters)
_SET = update(meters).where(meters.c.name == bindparam("p_name"))
_KEEP_HELD = update(meters).values(taken=meters.c.held).where(meters.c.taken != meters.c.held)
_DUES = select(paces.c.name, paces.c.ends).where(paces.c.name.in_(_NAMES)).order_by(paces.c.name).with_for_update()
_ADD_PACE = insert(paces)
_SET_PACE = update(paces).where(paces.c.name == bindparam("p_name"))
_MARK = select(marks.c.value).where(marks.c.name == "meters")
_ADD_MARK = insert(marks).values(name="meters")
_SET_MARK = update(marks).where(marks.c.name == "meters", marks.c.value == bindparam("p_value"))


class MeterRows:
    """Rows that `lock` found, and those that are missing. A row whose window is over counts as missing."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now
        self._found: dict[str, Any] = {}
        self._paced: set[str] = set()

    def read(self, names: Collection[str]) -> dict[str, Level]:
        """What meters stand at; those that are missing are left out."""
        rows = self._connection.execute(_READ, {"names": list(names)}) if names else ()
        return {row.name: Level(row.taken, row.held) for row in rows if self._alive(row)}

    def lock(self, names: Collection[str]) -> dict[str, Level]:
        """The same, and nobody else changes them before this transaction ends."""
        rows = self._connection.execute(_LOCK, {"names": list(names)}).all() if names else ()
        self._found.update((row.name, row) for row in rows)
        return {row.name: Level(row.taken, row.held) for row in rows if self._alive(row)}

    def add(
        self,
        changes: Mapping[str, tuple[int, int]],
        ends: Mapping[str, int | None],
        *,
        only_known: Collection[str] = (),
    ) -> None:
        """Add (taken, held) to locked meters, making those that are missing, unless their window is over or they are
        in `only_known`. Raises `OverflowError`."""
        new, changed = list[dict[str, Any]](), list[dict[str, Any]]()
        for name in sorted(changes):
            taken, held = changes[name]
            row = self._found.get(name)
            if row is not None and self._alive(row):
                sums = {"taken": exact(name, row.taken + taken), "held": exact(name, row.held + held)}
                changed.append({"p_name": name, **sums, "ends": row.ends})
                continue
            end = ends.get(name)
            if name in only_known or (end is not None and end <= self._now):
                continue
            # What a hold held went with the meter that was forgotten.
            sums = {"taken": exact(name, taken - min(held, 0)), "held": exact(name, max(held, 0))}
            if row is None:
                new.append({"name": name, **sums, "ends": end})
            else:
                changed.append({"p_name": name, **sums, "ends": end})
        if changed:
            self._connection.execute(_SET, changed)
        if new:
            self._connection.execute(_ADD, new)

    def forget_all_but_held(self) -> None:
        """Every meter stands at what is held."""
        self._connection.execute(_LOCK_ALL)
        self._connection.execute(_KEEP_HELD)

    def dues(self, names: Iterable[str]) -> dict[str, int]:
        """When paces are due next, locked; those that are missing are left out."""
        wanted = list(names)
        rows = self._connection.execute(_DUES, {"names": wanted}).all() if wanted else ()
        self._paced = {row.name for row in rows}
        return {row.name: row.ends for row in rows}

    def pace(self, dues: Mapping[str, int]) -> None:
        """Move paces that `dues` locked."""
        changed = [{"p_name": name, "ends": due} for name, due in sorted(dues.items()) if name in self._paced]
        new = [{"name": name, "ends": due} for name, due in sorted(dues.items()) if name not in self._paced]
        if changed:
            self._connection.execute(_SET_PACE, changed)
        if new:
            self._connection.execute(_ADD_PACE, new)

    def _alive(self, row: Any) -> bool:
        return row.ends is None or row.ends > self._now


def lost(connection: Connection, epoch: str) -> bool:
    """Whether nobody restored the meters in this life of the database."""
    return bool(connection.execute(_MARK).scalar() != epoch)


def mark(connection: Connection, epoch: str) -> None:
    """Say that they are restored. Of two that do so at once one loses the race."""
    old = connection.execute(_MARK).scalar()
    if old is None:
        connection.execute(_ADD_MARK, {"value": epoch})
    elif not connection.execute(_SET_MARK, {"value": epoch, "p_value": old}).rowcount:
        raise LostRace

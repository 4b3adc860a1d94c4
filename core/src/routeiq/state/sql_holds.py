"""The rows of holds inside a transaction: found without a lock, written only if nobody else wrote meanwhile.

What a hold takes is the business of `admission`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, insert, literal, select, true, update

from routeiq.state.sql_database import LostRace
from routeiq.state.sql_tables import holds, marks
from routeiq_sdk.values.meters import Held, Overdue

_ONE = select(literal(1).label("one")).subquery()
_MARK = select(marks.c.value).where(marks.c.name == "meters").subquery()
# One row always: what was restored last, and beside it the hold, if there is one.
_FIND = (
    select(_MARK.c.value.label("mark"), holds)
    .select_from(_ONE)
    .outerjoin(_MARK, true())
    .outerjoin(holds, holds.c.hold == bindparam("p_hold"))
)
_ADD = insert(holds)
_SET = update(holds).where(holds.c.hold == bindparam("p_hold"), holds.c.version == bindparam("p_version"))
_OPEN = (
    select(holds.c.hold)
    .where(holds.c.hold.in_(bindparam("p_holds", expanding=True)), holds.c.due.is_not(None))
    .order_by(holds.c.hold)
    .with_for_update()
)
_PROLONG = update(holds).where(holds.c.hold == bindparam("p_hold"))
_OVERDUE = (
    select(holds.c.hold, holds.c.amounts, holds.c.note)
    .where(holds.c.due <= bindparam("now"))
    .order_by(holds.c.due, holds.c.hold)
    .limit(bindparam("most"))
)


@dataclass(slots=True)
class Hold:
    """A row: an open hold, with `due`, or an ended one, remembered until `until`."""

    version: int
    due: int | None
    until: int | None
    note: bytes
    amounts: dict[str, int]
    parts: dict[int, list[Any]] = field(default_factory=dict)

    def ended(self, now: int) -> bool:
        """Whether it was settled and is remembered."""
        return self.until is not None and self.until > now

    def again(self, part: int) -> Held:
        """The answer that a part got."""
        units, left, over = self.parts[part]
        return Held(units, tuple(left), tuple(over), again=True)


class HoldRows:
    """Reads and writes them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, hold: str) -> tuple[Hold | None, str | None]:
        """The hold, and the life of the database in which the meters were restored last."""
        row = self._connection.execute(_FIND, {"p_hold": hold}).one()
        if row.version is None:
            return None, row.mark
        parts = {int(part): answer for part, answer in orjson.loads(row.parts).items()}
        return Hold(row.version, row.due, row.ends, row.note, orjson.loads(row.amounts), parts), row.mark

    def grow(
        self,
        hold: str,
        known: Hold | None,
        part: int,
        answer: Held,
        amounts: Mapping[str, int],
        *,
        due: int,
        note: bytes,
    ) -> None:
        """Write a granted part. Raises `LostRace`."""
        old = known if known is not None and known.due is not None else None
        sums = dict(old.amounts) if old is not None else {}
        for meter, amount in amounts.items():
            sums[meter] = sums.get(meter, 0) + amount
        parts = {**(old.parts if old is not None else {}), part: [answer.units, answer.left, answer.over]}
        written = {
            "due": due,
            "ends": None,
            "note": note if old is None or part == 0 else old.note,
            "amounts": orjson.dumps(sums),
            "parts": orjson.dumps({str(number): told for number, told in parts.items()}),
        }
        self._write(hold, known, written)

    def end(self, hold: str, known: Hold | None, *, until: int) -> None:
        """Remember that it ended. Raises `LostRace`."""
        self._write(hold, known, {"due": None, "ends": until, "note": b"", "amounts": b"{}", "parts": b"{}"})

    def prolong(self, names: Collection[str], due: int) -> set[str]:
        """Move the leases of those that are open, and say which."""
        found = {row.hold for row in self._connection.execute(_OPEN, {"p_holds": list(names)})}
        if found:
            self._connection.execute(_PROLONG, [{"p_hold": hold, "due": due} for hold in sorted(found)])
        return found

    def overdue(self, now: int, most: int) -> list[Overdue]:
        """Open holds whose lease ran out."""
        rows = self._connection.execute(_OVERDUE, {"now": now, "most": most})
        return [Overdue(row.hold, orjson.loads(row.amounts), bytes(row.note)) for row in rows]

    def _write(self, hold: str, known: Hold | None, written: Mapping[str, Any]) -> None:
        if known is None:
            self._connection.execute(_ADD, {"hold": hold, "version": 0, **written})
            return
        asked = {"p_hold": hold, "p_version": known.version, "version": known.version + 1, **written}
        if not self._connection.execute(_SET, asked).rowcount:
            raise LostRace

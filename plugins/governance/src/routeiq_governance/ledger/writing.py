"""Entries into the database: rows, double entries, sums and meters in one transaction, each entry once.

Where entries wait until then is `book`'s business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.ledger.entry import ATTEMPT, CORRECTION, LOST, Entry, Taken
from routeiq_governance.store.tables import entries as entry_table
from routeiq_governance.store.tables import meters as meter_table
from routeiq_governance.store.tables import postings as posting_table
from routeiq_governance.store.tables import totals as total_table

_ROWS = 200
"""Rows a statement: SQLite takes 32,766 variables in one."""
_SUMS = ("spend", "input_tokens", "output_tokens", "requests")
_Name = tuple[str, int, str]


async def write(connection: AsyncConnection, batch: Sequence[Entry]) -> list[Entry]:
    """Write a batch; those entries that were new. One that the sweeper wrote first, from what was held, is set right
    by a `correction`."""
    unique = list({_name(entry): entry for entry in batch}.values())
    fresh = await _insert(connection, unique)
    known = [entry for entry in unique if _name(entry) not in {_name(each) for each in fresh}]
    corrections = await _corrections(connection, [entry for entry in known if entry.kind == ATTEMPT])
    fresh += await _insert(connection, corrections)
    await _post(connection, fresh)
    return fresh


def _name(entry: Entry) -> _Name:
    return entry.request_id, entry.attempt, entry.kind


async def _insert(connection: AsyncConnection, batch: Sequence[Entry]) -> list[Entry]:
    fresh: list[Entry] = []
    for start in range(0, len(batch), _ROWS):
        part = batch[start : start + _ROWS]
        statement = _dialect(connection).insert(entry_table)
        key = (entry_table.c.request_id, entry_table.c.attempt, entry_table.c.kind)
        statement = statement.on_conflict_do_nothing().returning(*key)
        done = await connection.execute(statement, [_row(entry) for entry in part])
        new = {tuple(row) for row in done.all()}
        fresh += [entry for entry in part if _name(entry) in new]
    return fresh


async def _corrections(connection: AsyncConnection, known: Sequence[Entry]) -> list[Entry]:
    wrong = [entry for entry in known if entry.outcome != LOST]
    if not wrong:
        return []
    table = entry_table.c
    named = or_(*(and_(table.request_id == entry.request_id, table.attempt == entry.attempt) for entry in wrong))
    rows = (await connection.execute(select(entry_table).where(named, table.kind == ATTEMPT))).mappings().all()
    guessed = {(row["request_id"], row["attempt"]): row for row in rows if row["outcome"] == LOST}
    found = []
    for entry in wrong:
        row = guessed.get((entry.request_id, entry.attempt))
        if row is not None:
            found.append(_correction(entry, row))
    return found


def _correction(entry: Entry, row: Any) -> Entry:
    """What has to be added to the sweeper's row so that both together say what `entry` says."""
    change: Counter[str] = Counter()
    ends: dict[str, int | None] = {}
    before = [Taken(*taken) for taken in row["detail"].get("meters", ())]
    for sign, taken in ((1, entry.meters), (-1, before)):
        for each in taken:
            change[each.meter] += sign * each.amount
            ends[each.meter] = each.ends
    return msgspec.structs.replace(
        entry,
        kind=CORRECTION,
        input_tokens=entry.input_tokens - row["input_tokens"],
        output_tokens=entry.output_tokens - row["output_tokens"],
        cost=entry.cost - row["cost"],
        meters=tuple(Taken(meter, amount, ends[meter]) for meter, amount in change.items() if amount),
    )


async def _post(connection: AsyncConnection, fresh: Sequence[Entry]) -> None:
    double = [
        {"request_id": e.request_id, "attempt": e.attempt, "kind": e.kind, "account": account, "amount": amount}
        for e in fresh
        if e.cost
        for account, amount in e.accounts
    ]
    if double:
        await connection.execute(posting_table.insert(), double)
    sums: dict[tuple[str, str], Counter[str]] = {}
    taken: Counter[str] = Counter()
    ends: dict[str, int | None] = {}
    for entry in fresh:
        added = {
            "spend": entry.cost,
            "input_tokens": entry.input_tokens,
            "output_tokens": entry.output_tokens,
            "requests": int(entry.kind == ATTEMPT and entry.attempt == 1),
        }
        for scope in entry.scopes:
            sums.setdefault(scope, Counter()).update(added)
        for each in entry.meters:
            taken[each.meter] += each.amount
            ends[each.meter] = each.ends
    rows = [{"scope": s, "scope_id": id, **{name: sums[s, id][name] for name in _SUMS}} for s, id in sorted(sums)]
    await _add(connection, total_table, ("scope", "scope_id"), _SUMS, rows)
    meters = [{"meter": meter, "amount": taken[meter], "ends": ends[meter]} for meter in sorted(taken)]
    await _add(connection, meter_table, ("meter",), ("amount",), meters)


async def _add(
    connection: AsyncConnection, table: Table, key: Sequence[str], sums: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    """Add to sums, in the order of their keys, so that two writers cannot wait for each other."""
    if rows:
        statement = _dialect(connection).insert(table)
        changes = {name: table.c[name] + statement.excluded[name] for name in sums}
        await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changes), rows)


def _dialect(connection: AsyncConnection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _row(entry: Entry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "meters"}
    detail = dict(entry.detail)
    if entry.meters:
        detail["meters"] = [[taken.meter, taken.amount, taken.ends] for taken in entry.meters]
    return {**row, "tags": list(entry.tags), "detail": detail}

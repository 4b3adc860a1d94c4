"""What was spent before a rule was there: its meter starts with the ledger's sum, once for all processes.

The sum is written beside the meter in the database, so that a store that is restored finds it, too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.ledger.book import Ledger
from routeiq_governance.ledger.entry import ATTEMPT
from routeiq_governance.quotas.rule import Rule
from routeiq_governance.quotas.windows import Every, Span
from routeiq_governance.store import tables
from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import entries, totals
from routeiq_governance.store.tables import meters as meter_table
from routeiq_sdk import Gateway
from routeiq_sdk.values.meters import Posting

MARK = "seed:"
DONE = "seeded:"
"""Rows beside those of meters: what a meter started with, and that the store has it. They are no meters."""
_MOST = 50_000
_COLUMNS = {
    "org": entries.c.organization_id,
    "team": entries.c.team_id,
    "user": entries.c.user_id,
    "key": entries.c.key_id,
    "customer": entries.c.customer_id,
    "model": entries.c.model_group,
    "provider": entries.c.provider,
    "route": entries.c.route,
}

_BASES = {
    "key": tables.keys,
    "user": tables.users,
    "team": tables.teams,
    "organization": tables.organizations,
    "customer": tables.customers,
    "tag": tables.tags,
}


class Seeds:
    """Meters that are known to have started."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._known: OrderedDict[str, None] = OrderedDict()
        self._starting: dict[str, asyncio.Task[None]] = {}

    async def sow(self, gateway: Gateway, rules: Sequence[Rule], now: int) -> None:
        """Start the meters of these rules that nobody started. Raises `StoreUnavailable`."""
        for rule in rules:
            if not rule.seeded:
                continue
            meter = rule.meter(rule.span(now))
            if meter not in self._known:
                await self._once(gateway, rule, meter, now)

    async def correct(self, gateway: Gateway, rule: Rule, change: int, now: int) -> None:
        """What an entity counts as having spent beside the ledger was changed: set its meter higher or lower. One that
        has not started yet starts with the changed sum. Raises `StoreUnavailable`."""
        span = rule.span(now)
        meter, ends = rule.meter(span), rule.ends(span)
        async with self._database.read() as connection:
            mark = await connection.execute(select(meter_table.c.meter).where(meter_table.c.meter == MARK + meter))
            started = mark.first() is not None
        await self.sow(gateway, (rule,), now)
        if not started and _counts_base(rule, span.start):
            return
        async with self._database.begin() as connection:
            await connection.execute(_insert(connection, meter, change, ends, add=True))
        await gateway.meters.adjust([Posting(meter, change, ends)])

    async def taken(self, meters: Sequence[str]) -> dict[str, int]:
        """What meters took by the database, with all that was accepted so far. Raises `StoreUnavailable`."""
        await self._ledger.flush()
        found: dict[str, int] = {}
        async with self._database.read() as connection:
            for start in range(0, len(meters), 500):
                part = list(meters[start : start + 500])
                rows = (await connection.execute(select(meter_table).where(meter_table.c.meter.in_(part)))).all()
                found |= {row.meter: row.amount for row in rows}
        return found

    async def _once(self, gateway: Gateway, rule: Rule, meter: str, now: int) -> None:
        """However many requests wait for it."""
        task = self._starting.get(meter)
        if task is None:
            task = self._starting[meter] = asyncio.ensure_future(self._start(gateway, rule, meter, now))
            task.add_done_callback(lambda _: self._starting.pop(meter, None))
        await asyncio.shield(task)

    async def _start(self, gateway: Gateway, rule: Rule, meter: str, now: int) -> None:
        """Fix the sum in the database, then give it to the store. Both steps may be repeated, by any process, until
        the second is known to be done: the store takes a seed once, as it settles a hold once."""
        span = rule.span(now)
        ends = rule.ends(span)
        await self._ledger.flush()
        async with self._database.begin() as connection:
            rows = await connection.execute(
                select(meter_table.c.meter, meter_table.c.amount).where(
                    meter_table.c.meter.in_((MARK + meter, DONE + meter))
                )
            )
            found = {row.meter: row.amount for row in rows.all()}
            if MARK + meter in found:
                amount = found[MARK + meter]
            else:
                amount = int((await connection.execute(_sum_of(rule, span))).scalar() or 0)
                amount += await _base(connection, rule, span.start)
                amount = await _fix(connection, meter, amount, ends)
        if DONE + meter not in found:
            await gateway.meters.settle(MARK + meter, [Posting(meter, amount, ends)] if amount else [])
            async with self._database.begin() as connection:
                await connection.execute(_insert(connection, DONE + meter, 0, ends))
        self._known[meter] = None
        if len(self._known) > _MOST:
            self._known.popitem(last=False)


async def _fix(connection: AsyncConnection, meter: str, amount: int, ends: int | None) -> int:
    """The meter's sum as the first process wrote it."""
    mine = await connection.execute(_insert(connection, MARK + meter, amount, ends).returning(meter_table.c.meter))
    if mine.first() is not None:
        added = _insert(connection, meter, amount, ends, add=True)
        await connection.execute(added)
        return amount
    told = await connection.execute(select(meter_table.c.amount).where(meter_table.c.meter == MARK + meter))
    return int(told.scalar_one())


def _insert(connection: AsyncConnection, meter: str, amount: int, ends: int | None, *, add: bool = False) -> Any:
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(meter_table).values(meter=meter, amount=amount, ends=ends)
    if not add:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(
        index_elements=["meter"], set_={"amount": meter_table.c.amount + statement.excluded.amount}
    )


def _counts_base(rule: Rule, start: int) -> bool:
    """Whether the window is the one in which what an entity was made with counts as spent."""
    return not rule.scope and rule.is_money and start == (rule.window.since if isinstance(rule.window, Every) else 0)


async def _base(connection: AsyncConnection, rule: Rule, start: int) -> int:
    table = _BASES.get(rule.id.partition(":")[0])
    if table is None or not _counts_base(rule, start):
        return 0
    row = await connection.execute(select(table.c.spend_base).where(table.c.id == rule.value))
    return int(row.scalar() or 0)


def _sum_of(rule: Rule, span: Span) -> Any:
    """The ledger's sum for a rule in a window."""
    if rule.scope:
        if "tag" in rule.scope:
            return select(literal(0))  # tags lie in a document that no index reaches: such a meter starts with the rule
        return _entries(rule, span, [_COLUMNS[name] == value for name, value in rule.scope.items()])
    scope = "global" if rule.subject == "global" else rule.id.partition(":")[0]
    if scope == "global":
        return _entries(rule, span, [])
    if span.end is None and rule.is_money:
        return select(totals.c.spend).where(totals.c.scope == scope, totals.c.scope_id == rule.value)
    if scope == "member":
        team, _, user = rule.value.partition("/")
        return _entries(rule, span, [entries.c.team_id == team, entries.c.user_id == user])
    column = "org" if scope == "organization" else scope
    return _entries(rule, span, [_COLUMNS[column] == rule.value]) if column in _COLUMNS else select(literal(0))


def _entries(rule: Rule, span: Span, where: Sequence[ColumnElement[bool]]) -> Any:
    amount: Any = {
        "usd": func.sum(entries.c.cost),
        "input_tokens": func.sum(entries.c.input_tokens),
        "output_tokens": func.sum(entries.c.output_tokens),
        "total_tokens": func.sum(entries.c.input_tokens + entries.c.output_tokens),
        "requests": func.count(func.distinct(entries.c.request_id)),
    }[rule.unit]
    kind = [entries.c.kind == ATTEMPT] if rule.unit == "requests" else []
    until = [entries.c.at < span.end] if span.end is not None else []
    return select(amount).where(entries.c.at >= span.start, *until, *kind, *where)

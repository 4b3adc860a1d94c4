"""What was spent before a rule was there: its meter starts with the ledger's sum, once for all processes.

The sum is written beside the meter in the database, so that a store that is restored finds it, too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from routeiq_governance.ledger.book import Ledger
from routeiq_governance.ledger.entry import ATTEMPT
from routeiq_governance.quotas.rule import Rule
from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import entries, totals
from routeiq_governance.store.tables import meters as meter_table
from routeiq_sdk import Gateway
from routeiq_sdk.values.meters import Posting

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


class Seeds:
    """Meters that are known to have started."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        self._known: OrderedDict[str, None] = OrderedDict()

    async def sow(self, gateway: Gateway, rules: Sequence[Rule], now: int) -> None:
        """Start the meters of these rules that nobody started. Raises `StoreUnavailable`."""
        for rule in rules:
            if not rule.seeded:
                continue
            span = rule.span(now)
            meter = rule.meter(span)
            if meter in self._known:
                continue
            await self._start(gateway, rule, meter, span.start, rule.ends(span))
            self._known[meter] = None
            if len(self._known) > _MOST:
                self._known.popitem(last=False)

    async def move(self, gateway: Gateway, rule: Rule, change: int, now: int) -> None:
        """Set the meter of a rule higher or lower. Raises `StoreUnavailable`."""
        span = rule.span(now)
        meter, ends = rule.meter(span), rule.ends(span)
        async with self._database.begin() as connection:
            where = meter_table.c.meter == meter
            values = {"amount": meter_table.c.amount + change}
            await connection.execute(meter_table.update().where(where).values(values))
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

    async def _start(self, gateway: Gateway, rule: Rule, meter: str, since: int, ends: int | None) -> None:
        await self._ledger.flush()
        async with self._database.begin() as connection:
            if (await connection.execute(select(meter_table.c.meter).where(meter_table.c.meter == meter))).first():
                return
            amount = int((await connection.execute(_sum_of(rule, since))).scalar() or 0)
            dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
            row = dialect.insert(meter_table).values(meter=meter, amount=amount, ends=ends)
            done = await connection.execute(row.on_conflict_do_nothing().returning(meter_table.c.meter))
            fresh = done.first() is not None
        if fresh and amount:
            await gateway.meters.adjust([Posting(meter, amount, ends)])


def _sum_of(rule: Rule, since: int) -> Any:
    """The ledger's sum for a rule since a moment."""
    if not rule.scope and rule.id != "global:budget":
        scope = rule.id.partition(":")[0]
        if since == 0:
            return select(totals.c.spend).where(totals.c.scope == scope, totals.c.scope_id == rule.value)
        column = {"organization": "org", "member": "member"}.get(scope, scope)
        if column not in _COLUMNS:
            return select(literal(0))
        return _entries(rule, since, [_COLUMNS[column] == rule.value])
    if rule.id == "global:budget" or not rule.scope:
        return _entries(rule, since, [])
    if "tag" in rule.scope:
        return select(literal(0))  # tags lie in a document that no index reaches; such a meter starts with the rule
    return _entries(rule, since, [_COLUMNS[name] == value for name, value in rule.scope.items()])


def _entries(rule: Rule, since: int, where: Sequence[ColumnElement[bool]]) -> Any:
    amount: Any = {
        "usd": func.sum(entries.c.cost),
        "input_tokens": func.sum(entries.c.input_tokens),
        "output_tokens": func.sum(entries.c.output_tokens),
        "total_tokens": func.sum(entries.c.input_tokens + entries.c.output_tokens),
        "requests": func.count(func.distinct(entries.c.request_id)),
    }[rule.unit]
    kind = [entries.c.kind == ATTEMPT] if rule.unit == "requests" else []
    return select(amount).where(entries.c.at >= since, *kind, *where)

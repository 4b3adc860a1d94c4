"""Questions to the ledger: rows, and sums by key, team, user, model, provider, tag, end user and day.

Who may ask is decided by the handlers; how answers look is theirs, too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.ledger.entry import ATTEMPT
from routeiq_governance.store.tables import entries, totals

DAY = 86_400_000_000_000
_C = entries.c
COLUMNS = {
    "key": _C.key_id,
    "team": _C.team_id,
    "user": _C.user_id,
    "organization": _C.organization_id,
    "customer": _C.customer_id,
    "model": _C.model_group,
    "provider": _C.provider,
}


@dataclass(frozen=True, slots=True)
class Within:
    """Which rows: from `start` up to (not with) `end`, Unix ns; `where` narrows further, `None` in it matches all."""

    start: int | None = None
    end: int | None = None
    where: tuple[ColumnElement[bool], ...] = ()

    @property
    def clauses(self) -> list[ColumnElement[bool]]:
        """As conditions of a query."""
        found = list(self.where)
        if self.start is not None:
            found.append(_C.at >= self.start)
        if self.end is not None:
            found.append(_C.at < self.end)
        return found


def seen_by(
    organizations: Sequence[str], teams: Sequence[str], users: Sequence[str], keys: Sequence[str]
) -> ColumnElement[bool]:
    """The rows of these."""
    return or_(_C.organization_id.in_(organizations), _C.team_id.in_(teams), _C.user_id.in_(users), _C.key_id.in_(keys))


def tagged(tag: str) -> ColumnElement[bool]:
    """The rows with this tag."""
    return cast(_C.tags, String).contains(json.dumps(tag), autoescape=True)


async def requests(
    connection: AsyncConnection, within: Within, *, most: int, after: tuple[int, str] | None = None
) -> list[dict[str, Any]]:
    """Requests, the newest first, each rolled up from its attempts, overruns and corrections; `after` is time and id
    of the last one of the page before."""
    newest = func.max(_C.at).label("at")
    chosen = select(_C.request_id, newest).where(and_(True, *within.clauses)).group_by(_C.request_id)
    if after is not None:
        chosen = chosen.having(tuple_(newest, _C.request_id) < tuple_(*after))
    chosen = chosen.order_by(newest.desc(), _C.request_id.desc()).limit(most)
    named = (await connection.execute(chosen)).all()
    if not named:
        return []
    ids = [row[0] for row in named]
    rows = (await connection.execute(select(entries).where(_C.request_id.in_(ids)))).mappings().all()
    of: dict[str, list[Any]] = {}
    for row in rows:
        of.setdefault(row["request_id"], []).append(row)
    return [rolled_up(of[id]) for id in ids]


def rolled_up(rows: Sequence[Any]) -> dict[str, Any]:
    """One request from its rows: the last attempt tells what happened, money and tokens are summed."""
    attempts = sorted((row for row in rows if row["kind"] == ATTEMPT), key=lambda row: row["attempt"])
    last = dict((attempts or sorted(rows, key=lambda row: row["attempt"]))[-1])
    return {
        **last,
        "at": min(row["at"] for row in rows),
        "ended_at": max(row["ended_at"] for row in rows),
        "cost": sum(row["cost"] for row in rows),
        "input_tokens": sum(row["input_tokens"] for row in rows),
        "output_tokens": sum(row["output_tokens"] for row in rows),
        "attempts": len(attempts),
        "overrun": sum(row["cost"] for row in rows if row["kind"] == "overrun"),
    }


_SUMS = (
    func.coalesce(func.sum(_C.cost), 0).label("cost"),
    func.coalesce(func.sum(_C.input_tokens), 0).label("input_tokens"),
    func.coalesce(func.sum(_C.output_tokens), 0).label("output_tokens"),
    func.count(func.distinct(_C.request_id)).label("requests"),
    func.coalesce(func.sum(case((and_(_C.kind == ATTEMPT, _C.outcome == "ok"), 1), else_=0)), 0).label("succeeded"),
    func.coalesce(func.sum(case((and_(_C.kind == ATTEMPT, _C.outcome != "ok"), 1), else_=0)), 0).label("failed"),
)


async def sums(
    connection: AsyncConnection, within: Within, by: Sequence[str], most: int = 1000
) -> list[dict[str, Any]]:
    """Sums by dimensions of `COLUMNS` and `day` (days since 1970, UTC); the dearest first, by day the newest."""
    columns = [day().label("day") if name == "day" else COLUMNS[name].label(name) for name in by]
    statement = select(*columns, *_SUMS).where(and_(True, *within.clauses)).group_by(*columns)
    order = [day().desc()] if "day" in by else []
    statement = statement.order_by(*order, func.sum(_C.cost).desc()).limit(most)
    return [dict(row) for row in (await connection.execute(statement)).mappings().all()]


async def by_tag(connection: AsyncConnection, within: Within) -> dict[str, tuple[int, int]]:
    """Cost and number of requests by tag. All time is read from sums; a span is read row by row."""
    if not within.clauses:
        statement = select(totals).where(totals.c.scope == "tag")
        rows = (await connection.execute(statement)).mappings().all()
        return {row["scope_id"]: (row["spend"], row["requests"]) for row in rows}
    cost: Counter[str] = Counter()
    count: Counter[str] = Counter()
    statement = select(_C.tags, _C.cost, _C.kind, _C.attempt).where(and_(*within.clauses))
    stream = await connection.stream(statement)
    async for tags, amount, kind, attempt in stream:
        for tag in tags:
            cost[tag] += amount
            count[tag] += kind == ATTEMPT and attempt == 1
    return {tag: (cost[tag], count[tag]) for tag in count}


def day() -> ColumnElement[int]:
    """Days since 1970, in UTC."""
    return _C.at.op("/")(DAY)

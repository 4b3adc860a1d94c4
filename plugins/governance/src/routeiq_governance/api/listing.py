"""What lists have in common: who sees which rows, search, order, pages.

Which columns a list has is the business of its own module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, func, select

from routeiq_governance.access.gate import Reach
from routeiq_governance.api.shapes import wrong
from routeiq_governance.store.entities import members, teams, users


def teams_within(reach: Reach) -> list[ColumnElement[bool]]:
    """The teams that a caller reaches."""
    if reach.everywhere:
        return []
    columns = teams.table.c
    return [columns.id.in_(reach.teams) | columns.organization_id.in_(reach.organizations)]


def users_within(reach: Reach) -> list[ColumnElement[bool]]:
    """The users that a caller reaches: itself, those at home in its organizations, and members of what it runs."""
    if reach.everywhere:
        return []
    member = members.table.c
    joined = select(member.user_id).where(
        ((member.scope == "team") & member.scope_id.in_(reach.teams))
        | ((member.scope == "organization") & member.scope_id.in_(reach.organizations))
    )
    columns = users.table.c
    return [columns.id.in_(reach.users) | columns.organization_id.in_(reach.organizations) | columns.id.in_(joined)]


def contains(column: Column[Any], part: str) -> ColumnElement[bool]:
    """Whether a text column contains something, whatever its case."""
    return func.lower(column).contains(part.lower(), autoescape=True)


def names_of(query: Mapping[str, str], name: str) -> list[str]:
    """A parameter with names, separated by commas."""
    return [part.strip() for part in query.get(name, "").split(",") if part.strip()]


def order_of(
    query: Mapping[str, str], columns: Mapping[str, Column[Any]], default: Sequence[ColumnElement[Any]]
) -> Sequence[ColumnElement[Any]]:
    """`sort_by` and `sort_order` (`asc`, `desc`). Raises `RequestError(400)`."""
    direction = query.get("sort_order", "asc").lower()
    if direction not in ("asc", "desc"):
        raise wrong("sort_order", "expected asc or desc")
    name = query.get("sort_by")
    if name is None:
        return default
    if name not in columns:
        raise wrong("sort_by", f"expected one of {', '.join(columns)}")
    return (columns[name].desc() if direction == "desc" else columns[name].asc(),)


def paged(name: str, rows: Sequence[Any], total: int, page: int, size: int) -> dict[str, Any]:
    """A page of rows under `name`."""
    return {name: list(rows), "total": total, "page": page, "page_size": size, "total_pages": -(-total // size)}

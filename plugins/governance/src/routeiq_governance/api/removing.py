"""What goes along when a team, a user or an organization goes: keys, memberships, bindings. The ledger keeps its rows.

Who may delete is decided by the handlers.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, or_, select

from routeiq_governance.api.changing import Change
from routeiq_governance.store import tables
from routeiq_governance.store.entities import keys, members, organizations, teams, users

_PART = 500


async def remove_keys(change: Change, where: ColumnElement[bool]) -> int:
    """Delete the keys that match; how many."""
    columns = keys.table.c
    ids = (await change.connection.execute(select(columns.id).where(where))).scalars().all()
    for part in _parts(ids):
        await _unbind(change, [f"key:{id}" for id in part], "key", part)
        await keys.delete(change.connection, columns.id.in_(part))
    change.touch("keys", *ids)
    return len(ids)


async def remove_memberships(change: Change, where: ColumnElement[bool]) -> None:
    """Delete the memberships that match."""
    columns = members.table.c
    query = select(columns.scope, columns.scope_id, columns.user_id).where(where)
    gone = (await change.connection.execute(query)).all()
    await members.delete(change.connection, where)
    for scope, scope_id, user in gone:
        change.touch("members", f"{scope_id}/{user}")
        change.touch("teams" if scope == "team" else "organizations", scope_id)
        change.touch("users", user)


async def remove_teams(change: Change, ids: Sequence[str]) -> None:
    """Delete teams with their keys and memberships."""
    for part in _parts(ids):
        await remove_keys(change, keys.table.c.team_id.in_(part))
        await remove_memberships(change, (members.table.c.scope == "team") & members.table.c.scope_id.in_(part))
        await _unbind(change, [], "team", part)
        await teams.delete(change.connection, teams.table.c.id.in_(part))
    change.touch("teams", *ids)


async def remove_users(change: Change, ids: Sequence[str]) -> None:
    """Delete users with their keys and memberships."""
    for part in _parts(ids):
        await remove_keys(change, keys.table.c.user_id.in_(part))
        await remove_memberships(change, members.table.c.user_id.in_(part))
        await _unbind(change, [f"user:{id}" for id in part], "user", part)
        await users.delete(change.connection, users.table.c.id.in_(part))
    change.touch("users", *ids)


async def remove_organizations(change: Change, ids: Sequence[str]) -> None:
    """Delete organizations with their teams, keys and memberships. Their users stay, without a home."""
    for part in _parts(ids):
        columns = teams.table.c
        found = await change.connection.execute(select(columns.id).where(columns.organization_id.in_(part)))
        await remove_teams(change, found.scalars().all())
        await remove_keys(change, keys.table.c.organization_id.in_(part))
        of_them = (members.table.c.scope == "organization") & members.table.c.scope_id.in_(part)
        await remove_memberships(change, of_them)
        await _unbind(change, [], "organization", part)
        await _forget_home(change, part)
        await change.connection.execute(delete(tables.roles).where(tables.roles.c.organization_id.in_(part)))
        await organizations.delete(change.connection, organizations.table.c.id.in_(part))
    change.touch("organizations", *ids)
    change.touch("roles", "")


async def _forget_home(change: Change, organizations: Sequence[str]) -> None:
    columns = users.table.c
    at_home = columns.organization_id.in_(organizations)
    ids = (await change.connection.execute(select(columns.id).where(at_home))).scalars().all()
    await change.connection.execute(users.table.update().where(at_home).values(organization_id=None))
    change.touch("users", *ids)


async def _unbind(change: Change, principals: Sequence[str], scope: str, ids: Sequence[str]) -> None:
    """Delete the role bindings of and at things that go: whoever gets such an id later must not have them."""
    columns = tables.bindings.c
    where = or_(columns.principal.in_(principals), (columns.scope == scope) & columns.scope_id.in_(ids))
    gone = await change.connection.execute(delete(tables.bindings).where(where))
    if gone.rowcount:
        change.touch("bindings", "")


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _PART] for start in range(0, len(ids), _PART)]

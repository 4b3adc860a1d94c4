"""Where entities lie, read from the database: which organizations, teams and users a thing belongs to.

What somebody may do there is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.access.permission import EVERYWHERE, Place
from routeiq_governance.access.standing import Membership, routes_of
from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import keys, members, organizations, teams, users

SCOPES = ("global", "organization", "team", "member", "user", "key")


class Places:
    """Looks places and memberships up. `within` is a connection whose transaction is to be read in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, scope: str, id: str | None, within: AsyncConnection | None = None) -> Place | None:
        """The place of an entity; `None` when there is none. Raises `StoreUnavailable`, and `ValueError` for a scope
        that does not exist."""
        if scope == "global":
            return EVERYWHERE
        if scope not in SCOPES:
            raise ValueError(f"{scope!r} is no scope: one of {', '.join(SCOPES)}")
        if not id:
            return None
        async with self._connection(within) as connection:
            match scope:
                case "organization":
                    return await _organization(connection, id)
                case "team":
                    return await _team(connection, id)
                case "member":
                    return await _member(connection, id)
                case "user":
                    return await _user(connection, id)
                case _:
                    return await _key(connection, id)

    async def memberships(self, user: str, within: AsyncConnection | None = None) -> tuple[Membership, ...]:
        """Where a user is a member."""
        query = (
            select(members.c.scope, members.c.scope_id, members.c.role, teams.c.organization_id, teams.c.settings)
            .outerjoin(teams, (members.c.scope == "team") & (members.c.scope_id == teams.c.id))
            .where(members.c.user_id == user)
        )
        async with self._connection(within) as connection:
            rows = (await connection.execute(query)).all()
        return tuple(Membership(row[0], row[1], row[2], row[3], routes_of(row[4] or {})) for row in rows)

    async def user(self, id: str, within: AsyncConnection | None = None) -> tuple[str | None, str | None] | None:
        """A user's role and organization; `None` when there is no such user."""
        async with self._connection(within) as connection:
            row = (
                await connection.execute(select(users.c.role, users.c.organization_id).where(users.c.id == id))
            ).first()
        return (row[0], row[1]) if row is not None else None

    async def holder(self, key: str, within: AsyncConnection | None = None) -> tuple[str | None, str | None]:
        """A key's user and team."""
        async with self._connection(within) as connection:
            row = (await connection.execute(select(keys.c.user_id, keys.c.team_id).where(keys.c.id == key))).first()
        return (row[0], row[1]) if row is not None else (None, None)

    @asynccontextmanager
    async def _connection(self, within: AsyncConnection | None) -> AsyncIterator[AsyncConnection]:
        if within is not None:
            yield within
            return
        async with self._database.read() as connection:
            yield connection


async def _first(connection: AsyncConnection, query: Any) -> Sequence[Any] | None:
    row: Sequence[Any] | None = (await connection.execute(query)).first()
    return row


async def _organization(connection: AsyncConnection, id: str) -> Place | None:
    row = await _first(connection, select(organizations.c.id).where(organizations.c.id == id))
    return Place("organization", id, {"organization": _set(id)}, {}) if row is not None else None


async def _team(connection: AsyncConnection, id: str) -> Place | None:
    row = await _first(connection, select(teams.c.organization_id).where(teams.c.id == id))
    if row is None:
        return None
    return Place("team", id, {"organization": _set(row[0]), "team": _set(id)}, {})


async def _member(connection: AsyncConnection, id: str) -> Place | None:
    """A user's keys of a team. Whether the user is a member is the business of whoever asks."""
    team, _, user = id.partition("/")
    place = await _team(connection, team)
    if place is None or not user:
        return None
    return Place("member", id, {**place.within, "member": _set(id)}, {"user": _set(user)})


async def _user(connection: AsyncConnection, id: str) -> Place | None:
    row = await _first(connection, select(users.c.organization_id).where(users.c.id == id))
    if row is None:
        return None
    query = select(members.c.scope, members.c.scope_id).where(members.c.user_id == id)
    of = (await connection.execute(query)).all()
    member_of = frozenset(scope_id for scope, scope_id in of if scope == "organization")
    return Place(
        "user",
        id,
        {"organization": _set(row[0]), "user": _set(id)},  # who merely joined an organization is not its own
        {"organization": member_of, "team": frozenset(scope_id for scope, scope_id in of if scope == "team")},
    )


async def _key(connection: AsyncConnection, id: str) -> Place | None:
    row = await _first(
        connection, select(keys.c.user_id, keys.c.team_id, keys.c.organization_id).where(keys.c.id == id)
    )
    if row is None:
        return None
    user, team, organization = row
    if team is not None:
        place = await _team(connection, team)
        tenants = (place.tenants if place is not None else frozenset()) or _set(organization)
        within = {"organization": tenants, "team": _set(team), "key": _set(id)}
        if user is not None:
            within["member"] = _set(f"{team}/{user}")
        return Place("key", id, within, {"user": _set(user)})
    owner = await _user(connection, user) if user is not None else None
    tenants = _set(organization) or (owner.tenants if owner is not None else frozenset())
    return Place("key", id, {"organization": tenants, "user": _set(user), "key": _set(id)}, {})


def _set(id: str | None) -> frozenset[str]:
    return frozenset((id,)) if id is not None else frozenset()

"""The SDK's directory over this database: users and teams, as identity providers provision them.

Who may provision is decided by the plugin that asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, delete, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.identity.gate import Identity
from routeiq_governance.store import entities, tables
from routeiq_governance.store.database import Database
from routeiq_governance.store.entities import Member, Repository, Team, User
from routeiq_sdk.values.directory import DirectoryGroup, DirectoryUser

_BY = "directory"
_ROLE = "internal_user"
_LITELLM = ("proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer")
T = TypeVar("T", User, Team)


class StoredDirectory:
    """Implements `routeiq_sdk.gateway.Directory`: a group is a team, its members are plain members of it."""

    def __init__(self, database: Database, identity: Identity) -> None:
        self._database = database
        self._identity = identity

    async def user(self, id: str) -> DirectoryUser | None:
        """As `Directory.user`."""
        async with self._database.read() as connection:
            found = await entities.users.get(connection, id)
        return _user(found) if found is not None else None

    async def find_users(
        self, *, email: str | None = None, external_id: str | None = None, after: str = "", most: int = 100
    ) -> Sequence[DirectoryUser]:
        """As `Directory.find_users`. E-mail addresses are compared without case."""
        columns = tables.users.c
        where: list[ColumnElement[bool]] = []
        if email is not None:
            where.append(or_(columns.email == email, columns.email == email.lower()))
        if external_id is not None:
            where.append(columns.external_id == external_id)
        found = await self._page(entities.users, where, after, most)
        return [_user(each) for each in found]

    async def save_user(self, user: DirectoryUser) -> DirectoryUser:
        """As `Directory.save_user`. Limits, models and memberships that the user has stay."""
        now = self._database.now()
        async with self._database.begin() as connection:
            known = await entities.users.get(connection, user.id)
            base = known or User(id=user.id, role=_ROLE, created_at=now, created_by=_BY)
            named = [role for role in _LITELLM if role in user.roles]
            saved = msgspec.structs.replace(
                base,
                email=user.email.lower() if user.email is not None else None,
                alias=user.name,
                external_id=user.external_id,
                organization_id=user.organization or base.organization_id,
                role=named[0] if named else base.role,
                active=user.active,
                settings={**base.settings, "attributes": dict(user.attributes)},
                updated_at=now,
                updated_by=_BY,
            )
            await self._write(connection, entities.users, known, saved)
            await self._database.touch(connection, "users")
        await self._identity.changes.announce("users", user.id)
        return _user(saved)

    async def remove_user(self, id: str) -> bool:
        """As `Directory.remove_user`."""
        async with self._database.begin() as connection:
            if await entities.users.get(connection, id) is None:
                return False
            await entities.keys.delete(connection, tables.keys.c.user_id == id)
            await entities.members.delete(connection, tables.members.c.user_id == id)
            await connection.execute(delete(tables.bindings).where(tables.bindings.c.principal == f"user:{id}"))
            await entities.users.delete(connection, tables.users.c.id == id)
            await self._touch(connection, "users", "keys", "members", "bindings")
        await self._announce("users", "keys", "members", "bindings")
        return True

    async def group(self, id: str) -> DirectoryGroup | None:
        """As `Directory.group`."""
        async with self._database.read() as connection:
            team = await entities.teams.get(connection, id)
            return await _group(connection, team) if team is not None else None

    async def find_groups(
        self, *, name: str | None = None, external_id: str | None = None, after: str = "", most: int = 100
    ) -> Sequence[DirectoryGroup]:
        """As `Directory.find_groups`."""
        columns = tables.teams.c
        where: list[ColumnElement[bool]] = []
        if name is not None:
            where.append(columns.alias == name)
        if external_id is not None:
            where.append(columns.external_id == external_id)
        found = await self._page(entities.teams, where, after, most)
        async with self._database.read() as connection:
            return [await _group(connection, team) for team in found]

    async def save_group(self, group: DirectoryGroup) -> DirectoryGroup:
        """As `Directory.save_group`. Members who stay keep their role; users who do not exist are left out."""
        now = self._database.now()
        async with self._database.begin() as connection:
            known = await entities.teams.get(connection, group.id)
            base = known or Team(id=group.id, created_at=now, created_by=_BY)
            saved = msgspec.structs.replace(
                base,
                alias=group.name,
                external_id=group.external_id,
                organization_id=group.organization or base.organization_id,
                updated_at=now,
                updated_by=_BY,
            )
            await self._write(connection, entities.teams, known, saved)
            await self._set_members(connection, saved.id, group.members, now)
            await self._touch(connection, "teams", "members")
            found = await _group(connection, saved)
        await self._announce("teams", "members")
        return found

    async def remove_group(self, id: str) -> bool:
        """As `Directory.remove_group`. The team's keys go with it."""
        async with self._database.begin() as connection:
            if await entities.teams.get(connection, id) is None:
                return False
            columns = tables.members.c
            await entities.members.delete(connection, columns.scope == "team", columns.scope_id == id)
            await entities.keys.delete(connection, tables.keys.c.team_id == id)
            at_team = (tables.bindings.c.scope == "team") & (tables.bindings.c.scope_id == id)
            await connection.execute(delete(tables.bindings).where(at_team))
            await entities.teams.delete(connection, tables.teams.c.id == id)
            await self._touch(connection, "teams", "keys", "members", "bindings")
        await self._announce("teams", "keys", "members", "bindings")
        return True

    async def _page(
        self, repository: Repository[T], where: Sequence[ColumnElement[bool]], after: str, most: int
    ) -> list[T]:
        async with self._database.read() as connection:
            return await repository.find(connection, *where, after=(after,) if after else None, most=most)

    @staticmethod
    async def _write(connection: AsyncConnection, repository: Repository[T], known: T | None, saved: T) -> None:
        if known is None:
            await repository.insert(connection, saved)
        else:
            await repository.save(connection, saved)

    @staticmethod
    async def _set_members(connection: AsyncConnection, team: str, wanted: frozenset[str], now: int) -> None:
        columns = tables.members.c
        of_team = (columns.scope == "team", columns.scope_id == team)
        have = {member.user_id for member in await entities.members.find(connection, *of_team)}
        gone = sorted(have - wanted)
        for start in range(0, len(gone), 500):
            await entities.members.delete(connection, *of_team, columns.user_id.in_(gone[start : start + 500]))
        for id in await entities.users.many(connection, sorted(wanted - have)):
            member = Member(
                scope="team", scope_id=team, user_id=id, role="user", created_at=now, updated_at=now, created_by=_BY
            )
            await entities.members.insert(connection, member)

    async def _touch(self, connection: AsyncConnection, *kinds: str) -> None:
        for kind in kinds:
            await self._database.touch(connection, kind)

    async def _announce(self, *kinds: str) -> None:
        for kind in kinds:
            await self._identity.changes.announce(kind)


def _user(user: User) -> DirectoryUser:
    attributes: Any = user.settings.get("attributes") or {}
    return DirectoryUser(
        user.id,
        user.email,
        user.alias,
        user.external_id,
        user.organization_id,
        frozenset({user.role} if user.role is not None else ()),
        user.active,
        {str(name): str(value) for name, value in attributes.items()},
    )


async def _group(connection: AsyncConnection, team: Team) -> DirectoryGroup:
    columns = tables.members.c
    found = await entities.members.find(connection, columns.scope == "team", columns.scope_id == team.id)
    members = frozenset(member.user_id for member in found)
    return DirectoryGroup(team.id, team.alias or team.id, team.external_id, team.organization_id, members)

"""From an id to everything that stands behind it: one short read of the database a caller.

Nothing is cached and nobody is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.identity.caller import Caller, Entity
from routeiq_governance.identity.limits import Limits, over
from routeiq_governance.store import entities
from routeiq_governance.store.entities import Bounded, Key, Member, Organization, Team, User

ROTATED = "rotated_to"
"""In the settings of a key that works on for a while after its rotation: the id of the key that replaced it."""
_MOST_ROTATIONS = 32


class Resolver:
    """Reads callers. `user_budget_everywhere`: whether a user's limits also hold for keys of a team."""

    def __init__(self, *, user_budget_everywhere: bool) -> None:
        self._everywhere = user_budget_everywhere

    async def current(self, connection: AsyncConnection, key: Key) -> Key | None:
        """The key as which this one counts. One that was rotated with an overlap is another text of the key that
        replaced it, so that both spend the same money; `None` when that one is gone."""
        found: Key | None = key
        for _ in range(_MOST_ROTATIONS):
            if found is None or ROTATED not in found.settings:
                return found
            found = await entities.keys.get(connection, str(found.settings[ROTATED]))
        return None

    async def of_key(self, connection: AsyncConnection, key: Key) -> Caller:
        """The caller behind a virtual key."""
        team = await _get(entities.teams, connection, key.team_id)
        user = await _get(entities.users, connection, key.user_id)
        organization_id = key.organization_id
        if organization_id is None:
            home = team if key.team_id is not None else user
            organization_id = home.organization_id if home is not None else None
        return await self._caller(
            connection,
            kind="service" if key.service_account else "key",
            key=key,
            user_id=key.user_id,
            user=user,
            team_id=key.team_id,
            team=team,
            organization_id=organization_id,
        )

    async def of_person(
        self,
        connection: AsyncConnection,
        *,
        kind: str,
        user_id: str | None,
        team_id: str | None,
        organization_id: str | None,
        email: str | None,
        roles: frozenset[str],
        metadata: Mapping[str, Any],
    ) -> Caller:
        """The caller that another plugin authenticated: a user or a service of an identity provider."""
        user = await _get(entities.users, connection, user_id)
        team = await _get(entities.teams, connection, team_id)
        if team is not None and team.organization_id is not None:
            organization_id = team.organization_id
        return await self._caller(
            connection,
            kind=kind,
            key=None,
            user_id=user_id,
            user=user,
            team_id=team_id if team is not None else None,
            team=team,
            organization_id=organization_id or (user.organization_id if user is not None else None),
            email=email,
            roles=roles,
            metadata=metadata,
        )

    async def _caller(
        self,
        connection: AsyncConnection,
        *,
        kind: str,
        key: Key | None,
        user_id: str | None,
        user: User | None,
        team_id: str | None,
        team: Team | None,
        organization_id: str | None,
        email: str | None = None,
        roles: frozenset[str] = frozenset(),
        metadata: Mapping[str, Any] | None = None,
    ) -> Caller:
        organization = await _get(entities.organizations, connection, organization_id)
        member = await _member(connection, "team", team_id, user_id)
        belongs = await _member(connection, "organization", organization_id, user_id)
        budgets = await _budgets(connection, key, user, team, organization, member)
        found: list[Entity] = []
        if key is not None:
            found.append(_entity("key", key, key.alias, budgets))
        if user is not None:
            bounded = _entity("user", user, user.alias, budgets, blocked=user.blocked or not user.active)
            if team_id is not None and not self._everywhere:
                bounded = _unbounded(bounded)
            found.append(bounded)
        if team is not None:
            found.append(_entity("team", team, team.alias, budgets))
        if member is not None:
            limits = over(budgets.get(member.budget_id or ""), member.limits)
            models = team.settings.get("member_models", {}).get(member.user_id, ()) if team is not None else ()
            found.append(
                Entity("member", f"{member.scope_id}/{member.user_id}", limits=limits, models=tuple(models or ()))
            )
        if organization is not None:
            found.append(_entity("organization", organization, organization.alias, budgets))
        return Caller(
            kind=kind,
            key_id=key.id if key is not None else None,
            user=user_id,
            email=user.email if user is not None and user.email else email,
            team=team_id,
            organization=organization_id,
            role=user.role if user is not None else None,
            roles=roles,
            member_role=member.role if member is not None else None,
            organization_role=belongs.role if belongs is not None else None,
            service_account=key.service_account if key is not None else False,
            expires_at=key.expires_at if key is not None else None,
            entities=tuple(found),
            metadata=dict(key.meta) if key is not None else dict(metadata or {}),
        )


async def shared_limits(connection: AsyncConnection, value: Bounded) -> Limits:
    """The limits of one entity with those of the budget that it names."""
    if value.budget_id is None:
        return value.limits
    budget = await entities.budgets.get(connection, value.budget_id)
    return over(budget.limits if budget is not None else None, value.limits)


def _entity(
    scope: str, value: Bounded, alias: str | None, budgets: Mapping[str, Limits], *, blocked: bool | None = None
) -> Entity:
    return Entity(
        scope,
        value.id,
        alias,
        over(budgets.get(value.budget_id or ""), value.limits),
        value.models,
        value.blocked if blocked is None else blocked,
        value.settings,
        value.meta,
    )


def _unbounded(entity: Entity) -> Entity:
    return Entity(
        entity.scope,
        entity.id,
        entity.alias,
        Limits(),
        entity.models,
        entity.blocked,
        entity.settings,
        entity.metadata,
    )


async def _get(repository: entities.Repository[Any], connection: AsyncConnection, id: str | None) -> Any:
    return await repository.get(connection, id) if id is not None else None


async def _member(connection: AsyncConnection, scope: str, scope_id: str | None, user_id: str | None) -> Member | None:
    if scope_id is None or user_id is None:
        return None
    return await entities.members.get(connection, scope, scope_id, user_id)


async def _budgets(
    connection: AsyncConnection,
    key: Key | None,
    user: User | None,
    team: Team | None,
    organization: Organization | None,
    member: Member | None,
) -> dict[str, Limits]:
    named = {value.budget_id for value in (key, user, team, organization, member) if value is not None} - {None}
    if not named:
        return {}
    found = await entities.budgets.many(connection, [name for name in named if name is not None])
    return {id: budget.limits for id, budget in found.items()}

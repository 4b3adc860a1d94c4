"""Where a new or changed key lies: in whose scope it is made, in which organization, and who may make keys there by
`key_generation_settings`.

What the key itself may be given is the business of `key_making`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.api.fields import missing
from routeiq_governance.api.shapes import wrong
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import members, organizations, teams, users
from routeiq_sdk import RequestError

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts


def scope_of(team: str | None, user: str | None, organization: str | None) -> tuple[str, str | None]:
    """In whose scope a key lies."""
    if team is not None:
        return ("member", f"{team}/{user}") if user is not None else ("team", team)
    if user is not None:
        return "user", user
    return ("organization", organization) if organization is not None else ("global", None)


async def scope_of_new(
    connection: AsyncConnection, caller: Caller, team: str | None, user: str | None, organization: str | None
) -> tuple[str, str | None]:
    """In whose scope a new key lies. A proxy admin may name a user that is not there, as scripts for LiteLLM do."""
    scope, id = scope_of(team, user, organization)
    if scope == "user" and caller.is_admin and await users.get(connection, id or "") is None:
        return ("organization", organization) if organization is not None else ("global", None)
    return scope, id


async def organization_of(
    parts: Parts, connection: AsyncConnection, caller: Caller, team: str | None, user: str | None, told: str | None
) -> str | None:
    """The organization of a key: its team's, else the one that the request tells. Raises `RequestError` when that is
    not the team's, or when neither the user belongs to it nor the caller makes keys there."""
    if team is not None:
        found = await teams.get(connection, team)
        if found is None:
            raise missing("team", team, "team_id")
        if told is not None and told != found.organization_id:
            raise wrong("organization_id", f"team {team!r} is not of this organization")
        return found.organization_id
    if told is None:
        return None
    if await organizations.get(connection, told) is None:
        raise missing("organization", told, "organization_id")
    owner = await users.get(connection, user) if user is not None else None
    at_home = owner is not None and owner.organization_id == told
    if not at_home and (user is None or await members.get(connection, "organization", told, user) is None):
        await parts.access.require(caller, "key:create", scope="organization", id=told, within=connection)
    return told


async def refuse_by_rules(
    parts: Parts, connection: AsyncConnection, caller: Caller, team: str | None, given: Collection[str]
) -> None:
    """Raises `RequestError` for a key that `key_generation_settings` keep this caller from making. `given` are the
    names of the fields in its request. Proxy admins make any."""
    rules = parts.config.key_generation_settings
    if rules is None or caller.is_admin:
        return
    if team is None:
        personal = rules.personal_key_generation
        if personal is None:
            return
        role, allowed, required = caller.role, personal.allowed_user_roles, personal.required_params
    else:
        of_team = rules.team_key_generation
        if of_team is None:
            return
        member = await members.get(connection, "team", team, caller.user) if caller.user is not None else None
        role = member.role if member is not None else None
        allowed, required = of_team.allowed_team_member_roles, of_team.required_params
    if allowed is not None and role not in allowed:
        told = f"Keys are made here by the roles {', '.join(allowed) or 'of nobody'}; yours is {role or 'none'}."
        raise RequestError(403, told, type="auth_error", param="team_id" if team is not None else "user_id", code="403")
    for name in required:
        if name not in given:
            raise wrong(name, "is required for new keys (key_generation_settings)")

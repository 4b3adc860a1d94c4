"""How somebody becomes a member of a team or an organization: found by id or e-mail, made when new, never taken from
another tenant.

Reading requests and shaping answers is the business of the routes' modules.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func

from routeiq_governance.api.changing import Change
from routeiq_governance.api.defaulting import limits_of_joining_users
from routeiq_governance.api.fields import Check, document, email, identifier, missing, one_of
from routeiq_governance.api.shapes import wrong
from routeiq_governance.identity.caller import Caller
from routeiq_governance.identity.limits import Limits
from routeiq_governance.store.entities import Member, Team, User, members, users
from routeiq_sdk import RequestError

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

TEAM_ROLES = ("admin", "user")
ORGANIZATION_ROLES = ("org_admin", "internal_user", "internal_user_viewer")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody whom a request names."""

    user_id: str | None
    email: str | None
    role: str


def wanted(roles: Sequence[str]) -> Check:
    """One person of a request: `{"user_id" or "user_email": ..., "role": ...}`."""
    role_of = one_of(roles)

    def check(name: str, value: Any) -> Wanted:
        told = document(name, value)
        user_id, address = told.get("user_id"), told.get("user_email")
        if user_id is None and address is None:
            raise wrong(name, "needs a user_id or a user_email")
        if told.get("role") is None:
            raise wrong("role", f"is required: one of {', '.join(roles)}")
        return Wanted(
            identifier("user_id", user_id) if user_id is not None else None,
            email("user_email", address) if address is not None else None,
            role_of("role", told["role"]),
        )

    return check


def one_or_several(roles: Sequence[str]) -> Check:
    """One person or a list of them."""
    one = wanted(roles)

    def check(name: str, value: Any) -> list[Wanted]:
        if isinstance(value, list) and not value:
            raise wrong(name, "expected at least one")
        return [one(name, each) for each in value] if isinstance(value, list) else [one(name, value)]

    return check


async def by_email(change: Change, address: str) -> User | None:
    """The user with an e-mail address, whatever its case. Raises `RequestError(400)` when there are several."""
    found = await users.find(change.connection, func.lower(users.table.c.email) == address.lower(), most=2)
    if len(found) > 1:
        raise wrong("user_email", f"several users have {address!r}; name the user_id")
    return found[0] if found else None


async def existing(change: Change, user_id: str | None, address: str | None) -> User | None:
    """The user whom a request names by id, or else by e-mail."""
    found = await users.get(change.connection, user_id) if user_id is not None else None
    if found is None and address is not None:
        found = await by_email(change, address)
        if found is not None and user_id is not None and found.id != user_id:
            raise wrong("user_email", f"{address!r} belongs to another user than {user_id!r}")
    return found


async def person(change: Change, parts: Parts, caller: Caller, who: Wanted, organization: str | None) -> User:
    """The user to add somewhere in `organization` (`None`: outside of all). Raises `RequestError(404)` for a user of
    another tenant; one that does not exist is made."""
    found = await existing(change, who.user_id, who.email)
    if found is not None:
        if not await _is_near(change, parts, caller, found, organization):
            raise missing("user", who.user_id or who.email or "", "member")
        return found
    made = User(
        id=who.user_id or str(uuid.uuid4()),
        email=who.email,
        organization_id=organization,
        role="internal_user",
        limits=limits_of_joining_users(parts.config, change.now),
        models=tuple(parts.config.default_internal_user_params.models)
        if parts.config.default_internal_user_params is not None
        else (),
        created_at=change.now,
        updated_at=change.now,
        created_by=change.by,
        updated_by=change.by,
    )
    await users.insert(change.connection, made)
    change.touch("users", made.id)
    return made


async def _is_near(change: Change, parts: Parts, caller: Caller, user: User, organization: str | None) -> bool:
    """Whether somebody is of the same tenant, or seen by the caller anyway."""
    if user.organization_id == organization:
        return True
    if organization is not None and await members.get(change.connection, "organization", organization, user.id):
        return True
    return await parts.access.sees(caller, "user", user.id, within=change.connection)


async def join_team(change: Change, team: Team, user: User, role: str, limits: Limits | None = None) -> Member:
    """Make a user a member of a team. Raises `RequestError(400, team_member_already_in_team)`."""
    if await members.get(change.connection, "team", team.id, user.id) is not None:
        message = f"User already in team. Member: user_id={user.id}, user_email={user.email}"
        raise RequestError(400, message, type="team_member_already_in_team", param="member", code="400")
    own = limits if limits is not None else Limits()
    budget = team.settings.get("team_member_budget_id")
    member = _member(change, "team", team.id, user.id, role, own, budget)
    await members.insert(change.connection, member)
    _touch(change, "teams", team.id, user.id)
    return member


async def join_organization(
    change: Change, parts: Parts, caller: Caller, organization: str, user: User, role: str, limits: Limits | None = None
) -> Member:
    """Make a user a member of an organization, which becomes the home of one that has none, if the caller may move it.
    Raises `RequestError(400)` for one who is a member."""
    if await members.get(change.connection, "organization", organization, user.id) is not None:
        raise wrong("member", f"{user.id!r} is a member of the organization already")
    member = _member(change, "organization", organization, user.id, role, limits or Limits(), None)
    await members.insert(change.connection, member)
    if user.organization_id is None and await parts.access.allows(
        caller, "user:move", scope="user", id=user.id, within=change.connection
    ):
        table = users.table
        await change.connection.execute(
            table.update().where(table.c.id == user.id).values(organization_id=organization)
        )
    _touch(change, "organizations", organization, user.id)
    return member


def _member(
    change: Change, scope: str, scope_id: str, user: str, role: str, limits: Limits, budget: str | None
) -> Member:
    return Member(
        scope=scope,
        scope_id=scope_id,
        user_id=user,
        role=role,
        limits=limits,
        budget_id=budget,
        created_at=change.now,
        updated_at=change.now,
        created_by=change.by,
        updated_by=change.by,
    )


def _touch(change: Change, kind: str, scope_id: str, user: str) -> None:
    change.touch(kind, scope_id)
    change.touch("users", user)
    change.touch("members", f"{scope_id}/{user}")

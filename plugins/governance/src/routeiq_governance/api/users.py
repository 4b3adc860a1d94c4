"""Users: made with a key of their own, deleted with all that is theirs.

Changes are in `user_changes`, lists in `user_lists`, what a user may do is decided in `access`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from routeiq_governance.api import user_changes, user_lists
from routeiq_governance.api.budget_rows import may_name
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.defaulting import user_body
from routeiq_governance.api.fields import (
    Check,
    checked,
    flag,
    identifier,
    identifiers,
    missing,
    one_of,
    sequence,
    text,
    window,
)
from routeiq_governance.api.joining import (
    TEAM_ROLES,
    by_email,
    join_organization,
    join_team,
)
from routeiq_governance.api.patching import understood
from routeiq_governance.api.reachable import Reachable
from routeiq_governance.api.removing import remove_users
from routeiq_governance.api.shapes import answer, body_of, nano, wrong
from routeiq_governance.api.user_changes import FIELDS, patched_user
from routeiq_governance.api.user_keys import key_of_new_user
from routeiq_governance.api.user_rows import user_rows
from routeiq_governance.identity.caller import Caller
from routeiq_governance.identity.limits import Limits
from routeiq_governance.store.entities import User, teams, users
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts


def _teams(name: str, value: Any) -> list[tuple[str, str, Limits]]:
    """Teams to join, each with the role and the limits there: ids, or objects with more."""
    found = []
    for told in sequence(name, value):
        if isinstance(told, str):
            told = {"team_id": told}
        elif not isinstance(told, dict):
            raise wrong(name, "expected ids of teams, or objects with a team_id")
        budget = told.get("max_budget_in_team")
        found.append(
            (
                identifier(name, told.get("team_id")),
                one_of(TEAM_ROLES)(name, told.get("user_role") or "user"),
                Limits(budget=nano(name, budget) if budget is not None else None),
            )
        )
    return found


_NEW: Mapping[str, Check] = {
    **FIELDS,
    "auto_create_key": flag,
    "send_invite_email": flag,
    "key_alias": text,
    "duration": window,
    "team_id": identifier,
    "teams": _teams,
    "organizations": identifiers,
    "organization_id": identifier,
}
_OF_THE_KEY = ("auto_create_key", "key_alias", "duration", "send_invite_email")


class Users:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make a user, and a key for it unless the request says not to."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        asked = body_of(request)
        fields = understood(user_body(parts.config, asked), _NEW)
        homes = list(fields.get("organizations") or [])
        if fields.get("organization_id") is not None and fields["organization_id"] not in homes:
            homes.insert(0, fields["organization_id"])
        scope, home = ("organization", homes[0]) if homes else ("global", None)
        told = [name for name in understood(asked, _NEW) if name not in _OF_THE_KEY]
        async with changing(parts, caller) as change:
            await parts.access.require(caller, "user:create", scope=scope, id=home, within=change.connection)
            await parts.access.check_fields(caller, "user", told, scope, home, within=change.connection)
            user = await self._made(change, caller, fields, home)
            for organization in homes:
                await parts.access.require(
                    caller, "user:create", scope="organization", id=organization, within=change.connection
                )
                await join_organization(change, parts, caller, organization, user, "internal_user")
            joined = await self._join_teams(change, caller, user, fields)
            key = {}
            if fields.get("auto_create_key") is not False:
                key = await key_of_new_user(parts, change, caller, user, fields)
        row = (await user_rows(parts, [user]))[0]
        return answer({**row, **key, "user_id": user.id, "teams": joined, "organizations": homes})

    async def _made(self, change: Change, caller: Caller, fields: Mapping[str, Any], home: str | None) -> User:
        access, connection = self._parts.access, change.connection
        id = fields.get("user_id") or str(uuid.uuid4())
        if await users.get(connection, id) is not None:
            raise wrong("user_id", f"user {id!r} already exists")
        if fields.get("user_email") is not None and await by_email(change, fields["user_email"]) is not None:
            raise wrong("user_email", f"a user with {fields['user_email']!r} already exists")
        await may_name(self._parts, caller, connection, fields)
        user = User(
            id=id,
            organization_id=home,
            spend_base=fields.get("spend") or 0,
            created_at=change.now,
            created_by=change.by,
        )
        user = patched_user(user, fields, change)
        await access.check_grant(caller, models=user.models, limits=user.limits, within=connection)
        await users.insert(connection, user)
        change.touch("users", id)
        if user.role is not None:
            await access.check_grant(caller, role=user.role, scope="user", id=id, within=connection)
        return user

    async def _join_teams(self, change: Change, caller: Caller, user: User, fields: Mapping[str, Any]) -> list[str]:
        """The teams that the request names, or those of the configuration."""
        told = list(fields.get("teams") or [])
        if fields.get("team_id") is not None:
            told.append((fields["team_id"], "user", Limits()))
        for id, role, _ in told:
            if await teams.get(change.connection, id) is None:
                raise missing("team", id, "teams")
            await self._parts.access.check_fields(caller, "member", ("role",), "team", id, within=change.connection)
            await self._parts.access.check_grant(caller, role=role, scope="team", id=id, within=change.connection)
        if fields.get("teams") is None and not told:
            told = self._teams_of_new_users()
        joined = []
        for id, role, limits in told:
            team = await change.held(teams, id)
            if team is not None and id not in joined:
                await join_team(change, team, user, role, limits)
                joined.append(id)
        return joined

    def _teams_of_new_users(self) -> list[tuple[str, str, Limits]]:
        defaults = self._parts.config.default_internal_user_params
        if defaults is None:
            return []
        return _teams("teams", [team if isinstance(team, str) else team.model_dump() for team in defaults.teams])

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete users, their keys and their memberships: all of them or none."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        ids = checked(body_of(request), {"user_ids": identifiers}, required=("user_ids",))["user_ids"]
        async with changing(parts, caller) as change:
            for id in ids:
                await parts.access.require(caller, "user:delete", scope="user", id=id, within=change.connection)
                if await change.held(users, id) is None:
                    raise missing("user", id, "user_ids")
            await remove_users(change, ids)
            change.shut_out.extend(("deleted", id) for id in ids)
        return answer(len(ids))


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of users."""
    routes = Reachable(routes)
    handlers = Users(parts)
    for path, handler, action, summary in (
        ("/user/new", handlers.new, "user:create", "Make a user and its first key"),
        ("/user/delete", handlers.delete, "user:delete", "Delete users with their keys"),
    ):
        routes.add("POST", path, handler, access="admin", summary=summary, action=action)
    user_changes.register(routes, parts)
    user_lists.register(routes, parts)

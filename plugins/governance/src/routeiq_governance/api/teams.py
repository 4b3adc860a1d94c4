"""Teams: made, changed, blocked, deleted; their models.

Members, lists, callbacks and the permissions of members have modules of their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api import team_callbacks, team_lists, team_members, team_memberships, team_permissions
from routeiq_governance.api.budget_rows import may_name
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.defaulting import team_body
from routeiq_governance.api.fields import (
    TRAVELLING,
    Check,
    checked,
    count,
    document,
    flag,
    identifier,
    identifiers,
    missing,
    one_of,
    sequence,
    text,
    texts,
    window,
)
from routeiq_governance.api.joining import TEAM_ROLES, Wanted, join_team, person, wanted
from routeiq_governance.api.limit_fields import by_model
from routeiq_governance.api.member_defaults import with_member_defaults
from routeiq_governance.api.patching import COMMON, patched, understood
from routeiq_governance.api.reachable import Reachable
from routeiq_governance.api.removing import remove_teams
from routeiq_governance.api.shapes import answer, body_of, nano, wrong
from routeiq_governance.api.team_permissions import permissions
from routeiq_governance.api.team_rows import KEPT, team_row
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Team, keys, teams
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_ChangeOfModels = Callable[[Sequence[str], Sequence[str]], list[str]]
"""Old models and those of the request, to new ones."""
_THROUGHPUT = one_of(("guaranteed_throughput", "best_effort_throughput"))
_BOTH: Mapping[str, Check] = {
    **TRAVELLING,
    **COMMON,
    "team_id": identifier,
    "team_alias": text,
    "organization_id": identifier,
    "team_member_permissions": permissions,
    "default_team_member_models": texts,
    "model_aliases": document,
    "secret_manager_settings": document,
    "rpm_limit_type": _THROUGHPUT,
    "tpm_limit_type": _THROUGHPUT,
    "team_member_key_duration": window,
    "team_member_budget": nano,
    "team_member_budget_duration": window,
    "team_member_rpm_limit": count,
    "team_member_tpm_limit": count,
    "team_member_model_max_budget": by_model,
}


def _people(name: str, value: Any) -> list[Wanted]:
    one = wanted(TEAM_ROLES)
    return [one(name, each) for each in sequence(name, value)]


_NEW: Mapping[str, Check] = {
    **_BOTH,
    "members_with_roles": _people,
    "members": texts,
    "admins": texts,
    "send_invite_email": flag,
}


class Teams:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make a team."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        asked = body_of(request)
        fields = understood(team_body(parts.config, asked), _NEW)
        organization = fields.get("organization_id")
        scope = "organization" if organization is not None else "global"
        await parts.access.require(caller, "team:create", scope=scope, id=organization)
        told = [name for name in understood(asked, _NEW) if name not in ("members", "admins", "members_with_roles")]
        await parts.access.check_fields(caller, "team", told, scope, organization)
        async with changing(parts, caller) as change:
            id = fields.get("team_id") or str(uuid.uuid4())
            if await teams.get(change.connection, id) is not None:
                raise wrong("team_id", f"team {id!r} already exists")
            await may_name(parts, caller, change.connection, fields)
            team = Team(id=id, organization_id=organization, created_at=change.now, created_by=change.by)
            team = self._patched(team, fields, change)
            await parts.access.check_grant(caller, models=team.models, limits=team.limits, within=change.connection)
            team = await with_member_defaults(change, team, fields)
            await teams.insert(change.connection, team)
            for who in _all_wanted(caller, fields):
                user = await person(change, parts, caller, who, organization)
                await join_team(change, team, user, who.role)
            change.touch("teams", id)
        return answer(await team_row(parts, team))

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change a team."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = understood(body_of(request), _BOTH, required=("team_id",))
        id = fields.pop("team_id")
        async with changing(parts, caller) as change:
            await parts.access.check_fields(caller, "team", fields, "team", id, within=change.connection)
            team = await self._held(change, id)
            await may_name(parts, caller, change.connection, fields)
            if "organization_id" in fields and fields["organization_id"] != team.organization_id:
                team = await self._moved(change, caller, team, fields["organization_id"])
            before, team = team, self._patched(team, fields, change)
            await parts.access.check_grant(
                caller,
                models=team.models if team.models != before.models else None,
                limits=team.limits if team.limits != before.limits else None,
                within=change.connection,
            )
            team = await with_member_defaults(change, team, fields)
            await teams.save(change.connection, team)
            change.touch("teams", id)
        return answer({"team_id": id, "data": await team_row(parts, team)})

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete teams, their keys and their memberships: all of them or none."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        ids = checked(body_of(request), {"team_ids": identifiers}, required=("team_ids",))["team_ids"]
        async with changing(parts, caller) as change:
            for id in ids:
                await parts.access.require(caller, "team:delete", scope="team", id=id, within=change.connection)
                await self._held(change, id)
            await remove_teams(change, ids)
        return answer({"deleted_teams": ids})

    async def block(self, request: HttpRequest) -> HttpResponse:
        """Refuse all requests of a team."""
        return await self._set_blocked(request, True)

    async def unblock(self, request: HttpRequest) -> HttpResponse:
        """Serve a team again."""
        return await self._set_blocked(request, False)

    async def _set_blocked(self, request: HttpRequest, blocked: bool) -> HttpResponse:
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = checked(body_of(request), {"team_id": identifier}, required=("team_id",))["team_id"]
        async with changing(parts, caller) as change:
            await parts.access.check_fields(caller, "team", ("blocked",), "team", id, within=change.connection)
            team = self._patched(await self._held(change, id), {"blocked": blocked}, change)
            await teams.save(change.connection, team)
            change.touch("teams", id)
        return answer(await team_row(parts, team))

    async def add_models(self, request: HttpRequest) -> HttpResponse:
        """Allow a team more models."""
        return await self._set_models(request, lambda old, told: [*old, *(name for name in told if name not in old)])

    async def delete_models(self, request: HttpRequest) -> HttpResponse:
        """Take models from a team."""
        return await self._set_models(request, lambda old, told: [name for name in old if name not in told])

    async def _set_models(self, request: HttpRequest, change_of: _ChangeOfModels) -> HttpResponse:
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {"team_id": identifier, "models": texts}
        fields = checked(body_of(request), checks, required=tuple(checks))
        id = fields["team_id"]
        async with changing(parts, caller) as change:
            await parts.access.check_fields(caller, "team", ("models",), "team", id, within=change.connection)
            team = await self._held(change, id)
            models = change_of(team.models, fields["models"])
            if team.models and not models:
                # An empty list allows every model: taking the last one away must not open all the others.
                models = ["no-default-models"]
            await parts.access.check_grant(caller, models=models, within=change.connection)
            team = self._patched(team, {"models": models}, change)
            await teams.save(change.connection, team)
            change.touch("teams", id)
        return answer(await team_row(parts, team))

    @staticmethod
    async def _held(change: Change, id: str) -> Team:
        team = await change.held(teams, id)
        if team is None:
            raise missing("team", id, "team_id")
        return team

    async def _moved(self, change: Change, caller: Caller, team: Team, organization: str | None) -> Team:
        """The team in another organization, its keys with it."""
        scope = "organization" if organization is not None else "global"
        await self._parts.access.require(caller, "team:create", scope=scope, id=organization, within=change.connection)
        of_team = keys.table.c.team_id == team.id
        moved = await keys.find(change.connection, of_team)
        await change.connection.execute(keys.table.update().where(of_team).values(organization_id=organization))
        change.touch("keys", *(key.id for key in moved))
        return msgspec.structs.replace(team, organization_id=organization)

    @staticmethod
    def _patched(team: Team, fields: Mapping[str, Any], change: Change) -> Team:
        team = patched(team, fields, KEPT, change.now, change.by)
        if "team_alias" in fields:
            team = msgspec.structs.replace(team, alias=fields["team_alias"])
        return team


def _all_wanted(caller: Caller, fields: Mapping[str, Any]) -> list[Wanted]:
    """The members of a new team: those of the request, and whoever makes it, unless that is an admin of everything."""
    found = list(fields.get("members_with_roles") or [])
    found += [Wanted(identifier("admins", id), None, "admin") for id in fields.get("admins") or []]
    found += [Wanted(identifier("members", id), None, "user") for id in fields.get("members") or []]
    if caller.user is not None and not caller.is_admin:
        found.append(Wanted(caller.user, None, "admin"))
    named: set[str] = set()
    kept = []
    for who in found:
        if who.user_id is None or who.user_id not in named:
            kept.append(who)
        if who.user_id is not None:
            named.add(who.user_id)
    return kept


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of teams."""
    routes = Reachable(routes)
    teams_of = Teams(parts)
    for path, handler, action, summary in (
        ("/team/new", teams_of.new, "team:create", "Make a team"),
        ("/team/update", teams_of.update, "team:update", "Change a team"),
        ("/team/delete", teams_of.delete, "team:delete", "Delete teams with their keys"),
        ("/team/block", teams_of.block, "team:update", "Refuse all requests of a team"),
        ("/team/unblock", teams_of.unblock, "team:update", "Serve a team again"),
        ("/team/model/add", teams_of.add_models, "team:update", "Allow a team more models"),
        ("/team/model/delete", teams_of.delete_models, "team:update", "Take models from a team"),
    ):
        routes.add("POST", path, handler, access="admin", summary=summary, action=action)
    for module in (team_lists, team_members, team_memberships, team_permissions, team_callbacks):
        module.register(routes, parts)

"""Memberships of teams: their role and limits, and their end.

How somebody becomes a member is in `team_members`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api import limit_fields
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, count, email, identifier, missing, one_of, texts, window
from routeiq_governance.api.joining import TEAM_ROLES, existing
from routeiq_governance.api.limit_fields import by_model
from routeiq_governance.api.removing import remove_keys, remove_memberships
from routeiq_governance.api.shapes import answer, body_of, nano, timestamp, wrong
from routeiq_governance.api.team_rows import MEMBER_MODELS, team_row
from routeiq_governance.store.entities import Member, Team, User, keys, members, teams
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

BOUNDS: Mapping[str, Check] = {"max_budget_in_team": nano, "budget_duration": window, "allowed_models": texts}
"""What may be set for somebody who is added; more when it is a member."""
_MORE_BOUNDS: Mapping[str, Check] = {
    **BOUNDS,
    "tpm_limit": count,
    "rpm_limit": count,
    "model_max_budget": by_model,
    "temp_budget_increase": nano,
    "temp_budget_expiry": timestamp,
}
_NAMED: Mapping[str, Check] = {"team_id": identifier, "user_id": identifier, "user_email": email}


class TeamMemberships:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change the role and the limits of one member."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {**_NAMED, **_MORE_BOUNDS, "role": one_of(TEAM_ROLES)}
        fields = checked(body_of(request), checks, required=("team_id",))
        id = fields["team_id"]
        told = [name for name in fields if name not in _NAMED]
        async with changing(parts, caller) as change:
            await parts.access.check_fields(caller, "member", told, "team", id, within=change.connection)
            team = await held(change, id)
            user, member = await _member_named(change, fields)
            if fields.get("role") is not None and fields["role"] != member.role:
                await parts.access.check_grant(
                    caller, role=fields["role"], scope="team", id=id, within=change.connection
                )
            member = await _changed(change, member, fields)
            if "allowed_models" in fields:
                await bound_models(change, team, [user.id], fields["allowed_models"] or [])
        return answer(_shown(member, user, fields, parts.now()))

    async def remove(self, request: HttpRequest) -> HttpResponse:
        """Remove one member, with its keys of the team."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _NAMED, required=("team_id",))
        id = fields["team_id"]
        async with changing(parts, caller) as change:
            await parts.access.check_fields(caller, "member", ("user_id",), "team", id, within=change.connection)
            team = await held(change, id)
            user, _ = await _member_named(change, fields)
            table = members.table.c
            await remove_memberships(
                change, (table.scope == "team") & (table.scope_id == id) & (table.user_id == user.id)
            )
            await remove_keys(change, (keys.table.c.team_id == id) & (keys.table.c.user_id == user.id))
            team = await bound_models(change, team, [user.id], [])
        return answer(await team_row(parts, team))


async def held(change: Change, id: str) -> Team:
    """A team, locked until the change is committed. Raises `RequestError(404)`."""
    team = await change.held(teams, id)
    if team is None:
        raise missing("team", id, "team_id")
    return team


async def _member_named(change: Change, fields: Mapping[str, Any]) -> tuple[User, Member]:
    name = fields.get("user_id") or fields.get("user_email")
    if name is None:
        raise wrong("user_id", "name a user_id or a user_email")
    user = await existing(change, fields.get("user_id"), fields.get("user_email"))
    member = await change.held(members, "team", fields["team_id"], user.id) if user is not None else None
    if user is None or member is None:
        raise wrong("user_id", f"user {name!r} is not found in team {fields['team_id']!r}")
    return user, member


def limits_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of a member under the names that they have everywhere else."""
    limits = {name: value for name, value in fields.items() if name in limit_fields.CHECKS}
    if "max_budget_in_team" in fields:
        limits["max_budget"] = fields["max_budget_in_team"]
    return limits


async def _changed(change: Change, member: Member, fields: Mapping[str, Any]) -> Member:
    changed = msgspec.structs.replace(
        member,
        role=fields.get("role") or member.role,
        limits=limit_fields.patched(member.limits, limits_of(fields), change.now),
        updated_at=change.now,
        updated_by=change.by,
    )
    await members.save(change.connection, changed)
    change.touch("members", f"{member.scope_id}/{member.user_id}")
    change.touch("users", member.user_id)
    change.touch("teams", member.scope_id)
    return changed


async def bound_models(change: Change, team: Team, ids: Sequence[str], models: Sequence[str]) -> Team:
    """The team with the models of single members; an empty list is no bound."""
    before = dict(team.settings.get(MEMBER_MODELS, {}))
    after = {**before, **{id: list(models) for id in ids}}
    after = {id: allowed for id, allowed in after.items() if allowed}
    if after == before:
        return team
    team = msgspec.structs.replace(team, settings={**team.settings, MEMBER_MODELS: after})
    await teams.save(change.connection, team)
    change.touch("teams", team.id)
    return team


def _shown(member: Member, user: User, fields: Mapping[str, Any], now: int) -> dict[str, Any]:
    limits = limit_fields.shown(member.limits, now)
    return {
        "team_id": member.scope_id,
        "user_id": member.user_id,
        "user_email": user.email,
        "role": member.role,
        "max_budget_in_team": limits["max_budget"],
        **{name: limits[name] for name in ("tpm_limit", "rpm_limit", "budget_duration", "model_max_budget")},
        **limit_fields.temporary(member.limits),
        "allowed_models": fields.get("allowed_models"),
    }


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    handlers = TeamMemberships(parts)
    for path, handler, summary in (
        ("/team/member_update", handlers.update, "Change a member's role and limits"),
        ("/team/member_delete", handlers.remove, "Remove a member with its keys of the team"),
    ):
        routes.add("POST", path, handler, access="admin", summary=summary, action="team:update")

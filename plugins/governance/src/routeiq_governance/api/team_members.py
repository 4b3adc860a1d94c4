"""How people become members of teams, one by one or many at once.

What a member may be given later is in `team_memberships`, how somebody is found or made in `joining`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from routeiq_governance.api import limit_fields
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import (
    checked,
    flag,
    identifier,
    sequence,
)
from routeiq_governance.api.joining import (
    TEAM_ROLES,
    Wanted,
    join_team,
    one_or_several,
    person,
    wanted,
)
from routeiq_governance.api.shapes import answer, body_of, nano, wrong
from routeiq_governance.api.team_memberships import BOUNDS, bound_models, held, limits_of
from routeiq_governance.api.team_rows import gather, membership_rows, team_row
from routeiq_governance.api.user_rows import user_rows
from routeiq_governance.identity.caller import Caller
from routeiq_governance.identity.limits import Limits
from routeiq_governance.store.entities import Team, User, teams, users
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_ALREADY = "team_member_already_in_team"


class TeamMembers:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def add(self, request: HttpRequest) -> HttpResponse:
        """Add one person or several."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {"team_id": identifier, "member": one_or_several(TEAM_ROLES), **BOUNDS}
        fields = checked(body_of(request), checks, required=("team_id", "member"))
        async with changing(parts, caller) as change:
            await self._may_add(change, caller, fields)
            team = await held(change, fields["team_id"])
            joined: list[User] = []
            refused: RequestError | None = None
            for who in fields["member"]:
                try:
                    joined.append(await self._add_one(change, caller, team, who, fields))
                except RequestError as error:
                    if error.type != _ALREADY:
                        raise
                    refused = error
            if refused is not None and not joined:
                raise refused
            if fields.get("allowed_models") or team.settings.get("default_team_member_models"):
                models = fields.get("allowed_models") or team.settings["default_team_member_models"]
                team = await bound_models(change, team, [user.id for user in joined], models)
        return answer(await self._added(team, joined))

    async def _may_add(self, change: Change, caller: Caller, fields: Mapping[str, Any]) -> None:
        """Who runs the team may add; others themselves, as plain members, to a team that is open."""
        access, id = self._parts.access, fields["team_id"]
        defaults = self._parts.config.default_internal_user_params
        is_open = defaults is not None and id in defaults.available_teams
        runs = await access.allows(caller, "team:update", scope="team", id=id, within=change.connection)
        if is_open and not runs and caller.user is not None:
            itself = all(who.user_id == caller.user and who.role == "user" for who in fields["member"])
            if not itself or any(name in fields for name in BOUNDS):
                message = "You may join this team yourself, as a user without limits of your own, and add nobody else."
                raise RequestError(403, message, type="auth_error", param="member", code="403")
            return
        told = [name for name in fields if name in BOUNDS]
        await access.check_fields(caller, "member", [*told, "role"], "team", id, within=change.connection)
        for role in sorted({who.role for who in fields["member"]}):
            await access.check_grant(caller, role=role, scope="team", id=id, within=change.connection)

    async def _add_one(
        self, change: Change, caller: Caller, team: Team, who: Wanted, fields: Mapping[str, Any]
    ) -> User:
        user = await person(change, self._parts, caller, who, team.organization_id)
        limits = limit_fields.patched(Limits(), limits_of(fields), change.now)
        await join_team(change, team, user, who.role, limits)
        return user

    async def _added(self, team: Team, joined: Sequence[User]) -> dict[str, Any]:
        parts = self._parts
        async with parts.database.read() as connection:
            gathered = await gather(connection, [team])
        rows = await membership_rows(parts, [team], gathered, only=[user.id for user in joined])
        return {
            **await team_row(parts, team),
            "updated_users": await user_rows(parts, joined),
            "updated_team_memberships": rows[team.id],
        }

    async def add_many(self, request: HttpRequest) -> HttpResponse:
        """Add many people, each by itself: one that cannot be added does not keep the others out."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {"team_id": identifier, "members": sequence, "all_users": flag, "max_budget_in_team": nano}
        fields = checked(body_of(request), checks, required=("team_id",))
        told = await self._everybody(caller, fields) if fields.get("all_users") else fields.get("members") or []
        if not told:
            raise wrong("members", "expected at least one, or all_users")
        results = [await self._result(caller, fields, each) for each in told]
        added = sum(result["success"] for result in results)
        async with parts.database.read() as connection:
            team = await teams.get(connection, fields["team_id"])
        return answer(
            {
                "team_id": fields["team_id"],
                "results": results,
                "total_requested": len(results),
                "successful_additions": added,
                "failed_additions": len(results) - added,
                "updated_team": await team_row(parts, team) if team is not None else None,
            }
        )

    async def _everybody(self, caller: Caller, fields: Mapping[str, Any]) -> list[dict[str, str]]:
        await self._parts.access.require(caller, "team:update", scope="team", id=fields["team_id"])
        await self._parts.access.require(caller, "user:update", scope="global")
        async with self._parts.database.read() as connection:
            return [{"user_id": user.id, "role": "user"} for user in await users.find(connection)]

    async def _result(self, caller: Caller, fields: Mapping[str, Any], told: Any) -> dict[str, Any]:
        shown = told if isinstance(told, dict) else {}
        result = {"user_id": shown.get("user_id"), "user_email": shown.get("user_email"), "success": True}
        try:
            who = wanted(TEAM_ROLES)("members", told)
            async with changing(self._parts, caller) as change:
                one = {**fields, "member": [who]}
                await self._may_add(change, caller, one)
                await self._add_one(change, caller, await held(change, fields["team_id"]), who, fields)
        except RequestError as error:
            if error.status in (403, 404) and error.param != "member":
                raise
            return {**result, "success": False, "error": error.message}
        return {**result, "error": None}


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    handlers = TeamMembers(parts)
    for path, handler, summary, action in (
        ("/team/member_add", handlers.add, "Add people to a team", "team:list"),
        ("/team/bulk_member_add", handlers.add_many, "Add many people to a team", "team:update"),
    ):
        routes.add("POST", path, handler, access="admin", summary=summary, action=action)

"""Which management routes plain members of a team may call for their keys of that team.

What each route means is a table of `access`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.access.roles import MEMBER_DEFAULT, MEMBER_ROUTES
from routeiq_governance.api.changing import changing
from routeiq_governance.api.fields import checked, flag, identifier, identifiers, missing, texts
from routeiq_governance.api.shapes import answer, body_of, wrong
from routeiq_governance.store.entities import Team, teams
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_ALWAYS = ("/key/info", "/key/health")


def permissions(name: str, value: Any) -> list[str]:
    """A list of routes, with those that every member may call."""
    found = texts(name, value)
    for route in found:
        if route not in MEMBER_ROUTES:
            raise wrong(name, f"{route!r} is none of {', '.join(sorted(MEMBER_ROUTES))}")
    return list(dict.fromkeys([*found, *_ALWAYS]))


def of_team(team: Team) -> list[str]:
    """What a team permits."""
    told = team.settings.get("team_member_permissions")
    return list(MEMBER_DEFAULT if told is None else told)


class TeamPermissions:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def show(self, request: HttpRequest) -> HttpResponse:
        """What a team permits, and what could be permitted."""
        caller = await self._parts.identity.caller_of(request)
        id = identifier("team_id", request.query.get("team_id"))
        await self._parts.access.require(caller, "team:read", scope="team", id=id)
        async with self._parts.database.read() as connection:
            team = await teams.get(connection, id)
        if team is None:
            raise missing("team", id, "team_id")
        return answer(
            {
                "team_id": id,
                "team_member_permissions": of_team(team),
                "all_available_permissions": sorted(MEMBER_ROUTES),
            }
        )

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Replace what a team permits."""
        caller = await self._parts.identity.caller_of(request)
        checks = {"team_id": identifier, "team_member_permissions": permissions}
        fields = checked(body_of(request), checks, required=tuple(checks))
        team = await self._set(caller, fields["team_id"], fields["team_member_permissions"])
        return answer({"team_id": team.id, "team_member_permissions": of_team(team)})

    async def bulk_update(self, request: HttpRequest) -> HttpResponse:
        """Permit more in several teams, or in all."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {"permissions": permissions, "team_ids": identifiers, "apply_to_all_teams": flag}
        fields = checked(body_of(request), checks, required=("permissions",))
        everywhere = bool(fields.get("apply_to_all_teams"))
        if everywhere == bool(fields.get("team_ids")):
            raise wrong("team_ids", "name the teams, or set apply_to_all_teams")
        if everywhere:
            await parts.access.require(caller, "team:update", scope="global")
        async with parts.database.read() as connection:
            ids = fields.get("team_ids") or [team.id for team in await teams.find(connection)]
        for id in ids:
            await parts.access.require(caller, "team:update", scope="team", id=id)
        for id in ids:
            await self._set(caller, id, fields["permissions"], added=True)
        told = fields["permissions"]
        return answer({"message": "permitted", "teams_updated": len(ids), "permissions_appended": told})

    async def _set(self, caller: Any, id: str, told: list[str], *, added: bool = False) -> Team:
        async with changing(self._parts, caller) as change:
            await self._parts.access.check_fields(
                caller, "team", ("team_member_permissions",), "team", id, within=change.connection
            )
            team = await change.held(teams, id)
            if team is None:
                raise missing("team", id, "team_id")
            wanted = list(dict.fromkeys([*of_team(team), *told])) if added else told
            settings = {**team.settings, "team_member_permissions": wanted}
            team = msgspec.structs.replace(team, settings=settings, updated_at=change.now, updated_by=change.by)
            await teams.save(change.connection, team)
            change.touch("teams", id)
        return team


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    permitted = TeamPermissions(parts)
    for method, path, handler, action, summary in (
        ("GET", "/team/permissions_list", permitted.show, "team:read", "What members of a team may do"),
        ("POST", "/team/permissions_update", permitted.update, "team:update", "Set what members of a team may do"),
        (
            "POST",
            "/team/permissions_bulk_update",
            permitted.bulk_update,
            "team:update",
            "Let members of several teams do more",
        ),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)

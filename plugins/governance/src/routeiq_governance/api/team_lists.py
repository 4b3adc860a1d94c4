"""Teams shown: one with its keys and memberships, all, or a page of them.

Changes are made in `teams`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from routeiq_governance.api.budget_rows import budget_table
from routeiq_governance.api.fields import identifier, missing
from routeiq_governance.api.key_lists import keys_of_teams
from routeiq_governance.api.listing import contains, order_of, paged, teams_within
from routeiq_governance.api.shapes import answer, page_of
from routeiq_governance.api.team_rows import gather, membership_rows, team_rows
from routeiq_governance.store.entities import Team, keys, members, teams
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_COLUMNS = teams.table.c
_ORDERS = {
    "team_id": _COLUMNS.id,
    "team_alias": _COLUMNS.alias,
    "organization_id": _COLUMNS.organization_id,
    "created_at": _COLUMNS.created_at,
    "updated_at": _COLUMNS.updated_at,
}


class TeamLists:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def info(self, request: HttpRequest) -> HttpResponse:
        """One team with its keys and memberships."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = identifier("team_id", request.query.get("team_id"))
        await parts.access.require(caller, "team:read", scope="team", id=id)
        async with parts.database.read() as connection:
            team = await teams.get(connection, id)
            if team is None:
                raise missing("team", id, "team_id")
            gathered = await gather(connection, [team])
        row = (await team_rows(parts, [team], gathered))[0]
        default = team.settings.get("team_member_budget_id")
        shared = gathered.budget(default)
        if shared is not None:
            row["team_member_budget_table"] = budget_table(shared, default, parts.now())
        memberships = await membership_rows(parts, [team], gathered)
        of_team = await keys_of_teams(parts, caller, [id])
        return answer({"team_id": id, "team_info": row, "keys": of_team[id], "team_memberships": memberships[id]})

    async def me(self, request: HttpRequest) -> HttpResponse:
        """The caller's own membership of a team."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = request.path_params["team_id"]
        async with parts.database.read() as connection:
            team = await teams.get(connection, id)
            member = await members.get(connection, "team", id, caller.user) if caller.user is not None else None
            if team is None or member is None:
                raise missing("team", id, "team_id")
            gathered = await gather(connection, [team])
        (row,) = (await membership_rows(parts, [team], gathered, only=(member.user_id,)))[id]
        user = gathered.users.get(member.user_id)
        email = user.email if user is not None else None
        return answer({**row, "role": member.role, "user_email": email, "team_alias": team.alias})

    async def all(self, request: HttpRequest) -> HttpResponse:
        """All teams that the caller sees, with keys and memberships; of one user or one organization when asked."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        where = teams_within(await parts.access.reach(caller, "team:list"))
        if "organization_id" in request.query:
            where.append(_COLUMNS.organization_id == request.query["organization_id"])
        if "user_id" in request.query:
            of_user = select(members.table.c.scope_id).where(
                members.table.c.scope == "team", members.table.c.user_id == request.query["user_id"]
            )
            where.append(_COLUMNS.id.in_(of_user))
        async with parts.database.read() as connection:
            found = await teams.find(connection, *where)
            gathered = await gather(connection, found)
        rows = await team_rows(parts, found, gathered)
        memberships = await membership_rows(parts, found, gathered)
        of_teams = await keys_of_teams(parts, caller, [team.id for team in found])
        return answer(
            [
                {**row, "team_memberships": memberships[team.id], "keys": of_teams[team.id]}
                for team, row in zip(found, rows, strict=True)
            ]
        )

    async def page(self, request: HttpRequest) -> HttpResponse:
        """A page of the teams that the caller sees, filtered and ordered."""
        parts, query = self._parts, request.query
        caller = await parts.identity.caller_of(request)
        page, size = page_of(query, 10)
        order = order_of(query, _ORDERS, (_COLUMNS.created_at.desc(),))
        where = teams_within(await parts.access.reach(caller, "team:list"))
        if "team_id" in query:
            where.append(_COLUMNS.id == query["team_id"])
        if "team_alias" in query:
            where.append(contains(_COLUMNS.alias, query["team_alias"]))
        if "search" in query:
            where.append(contains(_COLUMNS.alias, query["search"]) | contains(_COLUMNS.id, query["search"]))
        if "organization_id" in query:
            where.append(_COLUMNS.organization_id == query["organization_id"])
        if "user_id" in query:
            of_user = select(members.table.c.scope_id).where(
                members.table.c.scope == "team", members.table.c.user_id == query["user_id"]
            )
            where.append(_COLUMNS.id.in_(of_user))
        async with parts.database.read() as connection:
            total = await teams.count(connection, *where)
            found = await teams.find(connection, *where, order=order, most=size, skip=(page - 1) * size)
            gathered = await gather(connection, found)
            counted = await _keys_counted(connection, found)
        rows = [
            {**row, "members_count": len(gathered.of(team.id)), "keys_count": counted.get(team.id, 0)}
            for team, row in zip(found, await team_rows(parts, found, gathered), strict=True)
        ]
        return answer(paged("teams", rows, total, page, size))

    async def available(self, request: HttpRequest) -> HttpResponse:
        """Teams that the caller may join by itself, and has not joined."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        defaults = parts.config.default_internal_user_params
        names = list(defaults.available_teams) if defaults is not None else []
        async with parts.database.read() as connection:
            found = list((await teams.many(connection, names)).values())
            gathered = await gather(connection, found)
        open_ones = [team for team in found if caller.user not in {member.user_id for member in gathered.of(team.id)}]
        return answer(await team_rows(parts, open_ones, gathered))


async def _keys_counted(connection: Any, found: Sequence[Team]) -> dict[str, int]:
    columns = keys.table.c
    query = (
        select(columns.team_id, func.count())
        .where(columns.team_id.in_([team.id for team in found]))
        .group_by(columns.team_id)
    )
    return {row[0]: row[1] for row in (await connection.execute(query)).all()}


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    lists = TeamLists(parts)
    for path, handler, action, summary in (
        ("/team/info", lists.info, "team:read", "One team with its keys and members"),
        ("/team/list", lists.all, "team:list", "All teams that the caller sees"),
        ("/v2/team/list", lists.page, "team:list", "A page of teams"),
        ("/team/available", lists.available, "team:list", "Teams that the caller may join"),
        ("/team/{team_id}/members/me", lists.me, "team:list", "The caller's own membership"),
    ):
        routes.add("GET", path, handler, access="admin", summary=summary, action=action)

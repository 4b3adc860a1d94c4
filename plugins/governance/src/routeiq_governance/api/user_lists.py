"""Users shown: one with its keys and teams, one alone, or a page of them.

Changes are made in `users`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from routeiq_governance.api.fields import identifier, missing
from routeiq_governance.api.key_lists import keys_of_teams, keys_of_user
from routeiq_governance.api.listing import contains, names_of, order_of, paged, users_within
from routeiq_governance.api.shapes import answer, page_of
from routeiq_governance.api.team_rows import gather, membership_rows, team_rows
from routeiq_governance.api.user_rows import user_rows
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import User, keys, members, teams, users
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_COLUMNS = users.table.c
_ORDERS = {
    "user_id": _COLUMNS.id,
    "user_email": _COLUMNS.email,
    "user_alias": _COLUMNS.alias,
    "user_role": _COLUMNS.role,
    "created_at": _COLUMNS.created_at,
    "updated_at": _COLUMNS.updated_at,
}
_ROLES = {
    "proxy_admin": ("Admin (All Permissions)", "May do everything"),
    "proxy_admin_viewer": ("Admin (View Only)", "May read everything"),
    "internal_user": ("Internal User (Create/Delete/View)", "May make, delete and see its own keys and its own spend"),
    "internal_user_viewer": ("Internal Viewer (View Only)", "May see its own keys and its own spend"),
}


class UserLists:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def info(self, request: HttpRequest) -> HttpResponse:
        """A user with its keys and teams: the one that is asked for, or the caller."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        if "user_id" not in request.query and caller.user is None and caller.is_admin:
            return answer({"user_id": None, "user_info": None, "keys": [], "teams": await self._all_teams()})
        user = await self._asked(request, caller)
        row = (await user_rows(parts, [user]))[0]
        async with parts.database.read() as connection:
            found = list((await teams.many(connection, row["teams"])).values())
            gathered = await gather(connection, found)
        memberships = await membership_rows(parts, found, gathered, only=(user.id,))
        of_teams = await keys_of_teams(parts, caller, [team.id for team in found])
        shown = [
            {**each, "team_memberships": memberships[team.id], "keys": of_teams[team.id]}
            for team, each in zip(found, await team_rows(parts, found, gathered), strict=True)
        ]
        return answer(
            {"user_id": user.id, "user_info": row, "keys": await keys_of_user(parts, caller, user.id), "teams": shown}
        )

    async def _all_teams(self) -> list[dict[str, Any]]:
        """What the holder of the master key, who is no user, sees in place of teams of its own."""
        async with self._parts.database.read() as connection:
            found = await teams.find(connection)
            gathered = await gather(connection, found)
        return await team_rows(self._parts, found, gathered)

    async def light(self, request: HttpRequest) -> HttpResponse:
        """A user without its keys."""
        caller = await self._parts.identity.caller_of(request)
        return answer((await user_rows(self._parts, [await self._asked(request, caller)]))[0])

    async def _asked(self, request: HttpRequest, caller: Caller) -> User:
        told = request.query.get("user_id", caller.user)
        if told is None:
            raise missing("user", "default_user_id", "user_id")
        id = identifier("user_id", told)
        async with self._parts.database.read() as connection:
            user = await users.get(connection, id)
            if user is None and " " in id:
                # A query's "+" means a space; clients write it for itself, in e-mail addresses.
                user = await users.get(connection, id.replace(" ", "+"))
        await self._parts.access.require(caller, "user:read", scope="user", id=user.id if user is not None else id)
        if user is None:
            raise missing("user", id, "user_id")
        return user

    async def page(self, request: HttpRequest) -> HttpResponse:
        """A page of the users that the caller sees, filtered and ordered."""
        parts, query = self._parts, request.query
        caller = await parts.identity.caller_of(request)
        page, size = page_of(query)
        order = order_of(query, _ORDERS, (_COLUMNS.created_at.desc(),))
        where = users_within(await parts.access.reach(caller, "user:list"))
        ids = names_of(query, "user_ids")
        if len(ids) == 1:
            where.append(contains(_COLUMNS.id, ids[0]))
        elif ids:
            where.append(_COLUMNS.id.in_(ids))
        if "sso_user_ids" in query:
            where.append(_COLUMNS.external_id.in_(names_of(query, "sso_user_ids")))
        if "user_email" in query:
            where.append(contains(_COLUMNS.email, query["user_email"]))
        if "role" in query:
            where.append(_COLUMNS.role == query["role"])
        if "search" in query:
            where.append(contains(_COLUMNS.id, query["search"]) | contains(_COLUMNS.email, query["search"]))
        for name, scope in (("team", "team"), ("organization_ids", "organization")):
            if name in query:
                member = members.table.c
                of = select(member.user_id).where(member.scope == scope, member.scope_id.in_(names_of(query, name)))
                where.append(_COLUMNS.id.in_(of))
        async with parts.database.read() as connection:
            total = await users.count(connection, *where)
            found = await users.find(connection, *where, order=order, most=size, skip=(page - 1) * size)
            owner = keys.table.c.user_id
            counting = select(owner, func.count()).where(owner.in_([user.id for user in found])).group_by(owner)
            counted = {row[0]: row[1] for row in (await connection.execute(counting)).all()}
        rows = [{**row, "key_count": counted.get(row["user_id"], 0)} for row in await user_rows(parts, found)]
        return answer(paged("users", rows, total, page, size))

    async def roles(self, request: HttpRequest) -> HttpResponse:
        """The roles that a user may have."""
        return answer({name: {"ui_label": label, "description": about} for name, (label, about) in _ROLES.items()})


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    lists = UserLists(parts)
    for path, handler, action, summary in (
        ("/user/info", lists.info, "user:read", "A user with its keys and teams"),
        ("/v2/user/info", lists.light, "user:read", "A user"),
        ("/user/list", lists.page, "user:list", "A page of users"),
        ("/user/available_roles", lists.roles, "user:list", "The roles that a user may have"),
    ):
        routes.add("GET", path, handler, access="admin", summary=summary, action=action)

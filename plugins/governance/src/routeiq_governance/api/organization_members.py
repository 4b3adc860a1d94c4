"""Members of organizations: added, given another role or budget, removed.

How somebody is found or made is the business of `joining`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api import limit_fields
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, email, identifier, missing, one_of
from routeiq_governance.api.joining import ORGANIZATION_ROLES, existing, join_organization, one_or_several, person
from routeiq_governance.api.organization_rows import member_row
from routeiq_governance.api.removing import remove_keys, remove_memberships
from routeiq_governance.api.shapes import answer, body_of, nano, wrong
from routeiq_governance.api.user_rows import user_rows
from routeiq_governance.identity.limits import Limits
from routeiq_governance.store.entities import Member, User, keys, members, organizations, teams, users
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_NAMED: Mapping[str, Check] = {"organization_id": identifier, "user_id": identifier, "user_email": email}
_BUDGET = "max_budget_in_organization"


class OrganizationMembers:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def add(self, request: HttpRequest) -> HttpResponse:
        """Add one person or several."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {"organization_id": identifier, "member": one_or_several(ORGANIZATION_ROLES), _BUDGET: nano}
        fields = checked(body_of(request), checks, required=("organization_id", "member"))
        id, limits = fields["organization_id"], Limits(budget=fields.get(_BUDGET))
        access = parts.access
        async with changing(parts, caller) as change:
            told = [name for name in (_BUDGET, "role") if name in fields or name == "role"]
            await access.check_fields(caller, "member", told, "organization", id, within=change.connection)
            await access.require(caller, "user:create", scope="organization", id=id, within=change.connection)
            await self._held(change, id)
            for role in sorted({who.role for who in fields["member"]}):
                await access.check_grant(caller, role=role, scope="organization", id=id, within=change.connection)
            joined: list[User] = []
            rows = []
            for who in fields["member"]:
                user = await person(change, parts, caller, who, id)
                member = await join_organization(change, parts, caller, id, user, who.role, limits)
                joined.append(user)
                rows.append(member_row(member, user, change.now))
        return answer(
            {
                "organization_id": id,
                "updated_users": await user_rows(parts, joined),
                "updated_organization_memberships": rows,
            }
        )

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change the role and the budget of one member."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {**_NAMED, "role": one_of(ORGANIZATION_ROLES), _BUDGET: nano}
        fields = checked(body_of(request), checks, required=("organization_id",))
        id = fields["organization_id"]
        async with changing(parts, caller) as change:
            told = [name for name in fields if name not in _NAMED]
            await parts.access.check_fields(caller, "member", told, "organization", id, within=change.connection)
            await self._held(change, id)
            user, member = await self._member(change, fields)
            if fields.get("role") is not None:
                for role in {fields["role"], member.role}:
                    await parts.access.check_grant(
                        caller, role=role, scope="organization", id=id, within=change.connection
                    )
            member = await self._changed(change, member, fields)
        row = member_row(member, user, parts.now())
        return answer({**row, _BUDGET: limit_fields.shown(member.limits, parts.now())["max_budget"]})

    async def remove(self, request: HttpRequest) -> HttpResponse:
        """Remove one member, from the organization's teams, too, with its keys of them."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _NAMED, required=("organization_id",))
        id = fields["organization_id"]
        async with changing(parts, caller) as change:
            await parts.access.check_fields(
                caller, "member", ("user_id",), "organization", id, within=change.connection
            )
            await self._held(change, id)
            user, member = await self._member(change, fields)
            await self._removed(change, id, user)
        return answer(member_row(member, user, parts.now()))

    @staticmethod
    async def _removed(change: Change, id: str, user: User) -> None:
        columns = members.table.c
        of_it = await teams.find(change.connection, teams.table.c.organization_id == id)
        ids = [team.id for team in of_it]
        here = ((columns.scope == "organization") & (columns.scope_id == id)) | (
            (columns.scope == "team") & columns.scope_id.in_(ids)
        )
        await remove_memberships(change, here & (columns.user_id == user.id))
        key = keys.table.c
        await remove_keys(change, (key.user_id == user.id) & (key.team_id.in_(ids) | (key.organization_id == id)))
        if user.organization_id == id:
            await users.save(change.connection, msgspec.structs.replace(user, organization_id=None))
            change.touch("users", user.id)

    @staticmethod
    async def _held(change: Change, id: str) -> None:
        if await change.held(organizations, id) is None:
            raise missing("organization", id, "organization_id")

    @staticmethod
    async def _member(change: Change, fields: Mapping[str, Any]) -> tuple[User, Member]:
        user_id, address = fields.get("user_id"), fields.get("user_email")
        if user_id is None and address is None:
            raise wrong("user_id", "name a user_id or a user_email")
        user = await existing(change, user_id, address)
        member = None
        if user is not None:
            member = await change.held(members, "organization", fields["organization_id"], user.id)
        if user is None or member is None:
            raise missing("member", user_id or address or "", "user_id")
        return user, member

    @staticmethod
    async def _changed(change: Change, member: Member, fields: Mapping[str, Any]) -> Member:
        told = {"max_budget": fields[_BUDGET]} if _BUDGET in fields else {}
        member = msgspec.structs.replace(
            member,
            role=fields.get("role") or member.role,
            limits=limit_fields.patched(member.limits, told, change.now),
            updated_at=change.now,
            updated_by=change.by,
        )
        await members.save(change.connection, member)
        change.touch("members", f"{member.scope_id}/{member.user_id}")
        change.touch("users", member.user_id)
        return member


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    handlers = OrganizationMembers(parts)
    for method, path, handler, summary in (
        ("POST", "/organization/member_add", handlers.add, "Add people to an organization"),
        ("PATCH", "/organization/member_update", handlers.update, "Change a member's role and budget"),
        ("DELETE", "/organization/member_delete", handlers.remove, "Remove a member"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action="organization:update")

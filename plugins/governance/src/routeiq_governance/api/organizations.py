"""Organizations: made, changed, deleted, shown.

Their members are in `organization_members`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement

from routeiq_governance.api import organization_members
from routeiq_governance.api.budget_rows import may_name
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import TRAVELLING, Check, checked, document, identifier, identifiers, missing, text
from routeiq_governance.api.listing import contains
from routeiq_governance.api.organization_rows import KEPT, organization_rows
from routeiq_governance.api.patching import COMMON, patched, understood
from routeiq_governance.api.reachable import Reachable
from routeiq_governance.api.removing import remove_organizations
from routeiq_governance.api.shapes import answer, body_of, nano, wrong
from routeiq_governance.api.spending import correct
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Organization, organizations
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_NEW: Mapping[str, Check] = {
    **TRAVELLING,
    **COMMON,
    "organization_id": identifier,
    "organization_alias": text,
    "model_aliases": document,
}
_CHANGED: Mapping[str, Check] = {**_NEW, "spend": nano}


class Organizations:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make an organization."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = understood(body_of(request), _NEW, required=("organization_alias",))
        await parts.access.require(caller, "organization:create", scope="global")
        await parts.access.check_fields(caller, "organization", fields, "global")
        async with changing(parts, caller) as change:
            id = fields.get("organization_id") or str(uuid.uuid4())
            if await organizations.get(change.connection, id) is not None:
                raise wrong("organization_id", f"organization {id!r} already exists")
            await may_name(parts, caller, change.connection, fields)
            made = _patched(Organization(id=id, created_at=change.now, created_by=change.by), fields, change)
            await organizations.insert(change.connection, made)
            change.touch("organizations", id)
        return answer((await organization_rows(parts, [made]))[0])

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change an organization."""
        caller = await self._parts.identity.caller_of(request)
        fields = understood(body_of(request), _CHANGED, required=("organization_id",))
        return await self._update(caller, fields.pop("organization_id"), fields)

    async def patch(self, request: HttpRequest) -> HttpResponse:
        """Change the organization that the path names."""
        caller = await self._parts.identity.caller_of(request)
        checks = {name: check for name, check in _CHANGED.items() if name != "organization_id"}
        return await self._update(caller, request.path_params["organization_id"], understood(body_of(request), checks))

    async def _update(self, caller: Caller, id: str, fields: Mapping[str, Any]) -> HttpResponse:
        parts = self._parts
        if "organization_alias" in fields and fields["organization_alias"] is None:
            raise wrong("organization_alias", "is required and cannot be cleared")
        async with changing(parts, caller) as change:
            await parts.access.check_fields(
                caller, "organization", fields, "organization", id, within=change.connection
            )
            found = await change.held(organizations, id)
            if found is None:
                raise missing("organization", id, "organization_id")
            await may_name(parts, caller, change.connection, fields)
            before, found = found, _patched(found, fields, change)
            await parts.access.check_grant(
                caller,
                models=found.models if found.models != before.models else None,
                limits=found.limits if found.limits != before.limits else None,
                within=change.connection,
            )
            await organizations.save(change.connection, found)
            change.touch("organizations", id)
        if fields.get("spend") is not None:
            found = await correct(parts, caller, "organization", organizations, found, fields["spend"])
        return answer((await organization_rows(parts, [found]))[0])

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete organizations, their teams and keys: all of them or none."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {"organization_ids": identifiers}
        ids = checked(body_of(request), checks, required=tuple(checks))["organization_ids"]
        for id in ids:
            await parts.access.require(caller, "organization:delete", scope="organization", id=id)
        shown = await organization_rows(parts, await self._several(ids))
        async with changing(parts, caller) as change:
            for id in ids:
                if await change.held(organizations, id) is None:
                    raise missing("organization", id, "organization_ids")
            await remove_organizations(change, ids)
        return answer(shown)

    async def info(self, request: HttpRequest) -> HttpResponse:
        """One organization."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = identifier("organization_id", request.query.get("organization_id"))
        await parts.access.require(caller, "organization:read", scope="organization", id=id)
        return answer((await organization_rows(parts, await self._several([id])))[0])

    async def infos(self, request: HttpRequest) -> HttpResponse:
        """Several organizations by id."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        checks = {"organizations": identifiers}
        ids = checked(body_of(request), checks, required=tuple(checks))["organizations"]
        for id in ids:
            await parts.access.require(caller, "organization:read", scope="organization", id=id)
        return answer(await organization_rows(parts, await self._several(ids)))

    async def _several(self, ids: Sequence[str]) -> list[Organization]:
        async with self._parts.database.read() as connection:
            found = await organizations.many(connection, ids)
        for id in ids:
            if id not in found:
                raise missing("organization", id, "organization_id")
        return [found[id] for id in ids]

    async def all(self, request: HttpRequest) -> HttpResponse:
        """The organizations that the caller sees."""
        parts, query, columns = self._parts, request.query, organizations.table.c
        caller = await parts.identity.caller_of(request)
        reach = await parts.access.reach(caller, "organization:list")
        where: list[ColumnElement[bool]] = [] if reach.everywhere else [columns.id.in_(reach.organizations)]
        if "org_id" in query:
            where.append(columns.id == query["org_id"])
        if "org_alias" in query:
            where.append(contains(columns.alias, query["org_alias"]))
        async with parts.database.read() as connection:
            found = await organizations.find(connection, *where)
        return answer(await organization_rows(parts, found))


def _patched(organization: Organization, fields: Mapping[str, Any], change: Change) -> Organization:
    organization = patched(organization, fields, KEPT, change.now, change.by)
    if "organization_alias" in fields:
        organization = msgspec.structs.replace(organization, alias=fields["organization_alias"])
    return organization


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of organizations."""
    routes = Reachable(routes)
    handlers = Organizations(parts)
    for method, path, handler, action, summary in (
        ("POST", "/organization/new", handlers.new, "organization:create", "Make an organization"),
        ("PATCH", "/organization/update", handlers.update, "organization:update", "Change an organization"),
        (
            "PATCH",
            "/v2/organization/{organization_id}",
            handlers.patch,
            "organization:update",
            "Change an organization",
        ),
        ("DELETE", "/organization/delete", handlers.delete, "organization:delete", "Delete organizations and teams"),
        ("GET", "/organization/list", handlers.all, "organization:list", "The organizations that the caller sees"),
        ("GET", "/organization/info", handlers.info, "organization:read", "One organization"),
        ("POST", "/organization/info", handlers.infos, "organization:read", "Several organizations"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)
    organization_members.register(routes, parts)

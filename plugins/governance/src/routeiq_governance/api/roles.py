"""Custom roles, and what the caller itself may do.

What a role allows where, and who may grant it, is decided in `access`; who has which is in `role_bindings`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.access import refusals
from routeiq_governance.access.permission import Grant, Permission
from routeiq_governance.access.places import SCOPES
from routeiq_governance.access.roles import BUILT_IN, LITELLM
from routeiq_governance.api import role_bindings
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.shapes import answer, body_of, wrong
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.tables import bindings, roles
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_BASE = "/routeiq/v1"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_MOST_ACTIONS = 500
_MOST = 1000
_PRINCIPALS = ("user", "key")
_BOUND_AT = tuple(scope for scope in SCOPES if scope != "member")


class Roles:
    """The handlers of roles."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list(self, request: HttpRequest) -> HttpResponse:
        """Built-in roles, the gateway's own, and those of the organizations that the caller reaches."""
        caller = await self._parts.identity.caller_of(request)
        reach = await self._parts.access.reach(caller, "role:list")
        query = select(roles).order_by(roles.c.name, roles.c.id).limit(_MOST)
        if not reach.everywhere:
            own = roles.c.organization_id.in_(sorted(reach.organizations))
            query = query.where(or_(roles.c.organization_id.is_(None), own))
        async with self._parts.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        built_in = [
            {
                "id": role.name,
                "name": role.name,
                "built_in": True,
                "description": role.description,
                "actions": role.permission.patterns(),
                "actions_below": role.below.patterns(),
            }
            for role in BUILT_IN.values()
        ]
        return answer({"data": [*built_in, *(_role(row) for row in rows)]})

    async def one(self, request: HttpRequest) -> HttpResponse:
        """One custom role."""
        caller = await self._parts.identity.caller_of(request)
        async with self._parts.database.read() as connection:
            row = await self._found(connection, request.path_params["id"])
        await self._require(caller, "role:read", row)
        return answer(_role(row))

    async def create(self, request: HttpRequest) -> HttpResponse:
        """Make a custom role, of an organization or of the gateway. Nobody makes one that may more than they may."""
        body = body_of(request)
        _only(body, ("name", "organization_id", "actions"))
        caller = await self._parts.identity.caller_of(request)
        organization = _text(body, "organization_id")
        scope, id = ("organization", organization) if organization is not None else ("global", None)
        await self._parts.access.require(caller, "role:create", scope=scope, id=id)
        name = _name(body.get("name"))
        permission = _permission(body.get("actions"))
        await self._parts.access.granting.permission(caller, Grant(permission, scope, id or ""))
        async with changing(self._parts, caller) as change:
            await self._unused(change.connection, name, organization)
            row = {
                "id": f"role-{secrets.token_hex(8)}",
                "organization_id": organization,
                "name": name,
                "actions": permission.patterns(),
                **_trail(change),
            }
            await change.connection.execute(insert(roles).values(row))
            change.touch("roles", row["id"])
        return answer(_role(row), 201)

    async def change(self, request: HttpRequest) -> HttpResponse:
        """Change a custom role's name or actions."""
        body = body_of(request)
        _only(body, ("name", "actions"))
        caller = await self._parts.identity.caller_of(request)
        async with changing(self._parts, caller) as change:
            row = dict(await self._found(change.connection, request.path_params["id"]))
            await self._require(caller, "role:update", row, change.connection)
            if "name" in body and body["name"] != row["name"]:
                row["name"] = _name(body["name"])
                await self._unused(change.connection, row["name"], row["organization_id"])
            if "actions" in body:
                permission = _permission(body["actions"])
                scope, id = _home(row)
                wanted = Grant(permission, scope, id or "")
                await self._parts.access.granting.permission(caller, wanted, change.connection)
                row["actions"] = permission.patterns()
            row |= {"updated_at": change.now, "updated_by": change.by}
            await change.connection.execute(update(roles).where(roles.c.id == row["id"]).values(row))
            change.touch("roles", row["id"])
        return answer(_role(row))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a custom role with its bindings."""
        caller = await self._parts.identity.caller_of(request)
        async with changing(self._parts, caller) as change:
            row = await self._found(change.connection, request.path_params["id"])
            await self._require(caller, "role:delete", row, change.connection)
            await change.connection.execute(delete(bindings).where(bindings.c.role == row["id"]))
            await change.connection.execute(delete(roles).where(roles.c.id == row["id"]))
            change.touch("roles", row["id"])
            change.touch("bindings", "")
        return answer({"id": row["id"], "deleted": True})

    async def _found(self, connection: AsyncConnection, id: str) -> Mapping[str, Any]:
        row = (await connection.execute(select(roles).where(roles.c.id == id))).mappings().first()
        if row is None:
            raise refusals.not_found("role", id)
        return dict(row)

    async def _require(
        self, caller: Caller, action: str, row: Mapping[str, Any], within: AsyncConnection | None = None
    ) -> None:
        scope, id = _home(row)
        try:
            await self._parts.access.require(caller, action, scope=scope, id=id, within=within)
        except RequestError as refused:
            raise refusals.not_found("role", row["id"]) if refused.status == 404 else refused from None

    async def _unused(self, connection: AsyncConnection, name: str, organization: str | None) -> None:
        same = roles.c.organization_id.is_(None) if organization is None else roles.c.organization_id == organization
        if (await connection.execute(select(roles.c.id).where(same, roles.c.name == name))).first() is not None:
            raise RequestError(409, f"There is a role {name!r} already.", param="name", code="409")


class Me:
    """The handler of who-am-I."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def read(self, request: HttpRequest) -> HttpResponse:
        """Who calls, and what it may do where."""
        caller = await self._parts.identity.caller_of(request)
        standing = await self._parts.access.standing(caller)
        return answer(
            {
                "kind": caller.kind,
                "key": caller.key_id,
                "user": caller.user,
                "email": caller.email,
                "team": caller.team,
                "organization": caller.organization,
                "role": caller.role,
                "routes": self._parts.access.routes_of(caller),
                "models": self._parts.access.models_of(caller),
                "grants": [
                    {
                        "role": grant.role or None,
                        "scope": grant.scope,
                        "id": grant.id or None,
                        "actions": grant.permission.patterns(),
                        "actions_below": grant.below.patterns(),
                    }
                    for grant in standing.grants
                ],
            }
        )


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of roles and of who-am-I."""
    of_roles, me = Roles(parts), Me(parts)
    for method, path, handler, action, summary in (
        ("GET", f"{_BASE}/roles", of_roles.list, "role:list", "Roles"),
        ("POST", f"{_BASE}/roles", of_roles.create, "role:create", "Make a custom role"),
        ("GET", f"{_BASE}/roles/{{id}}", of_roles.one, "role:read", "One custom role"),
        ("PATCH", f"{_BASE}/roles/{{id}}", of_roles.change, "role:update", "Change a custom role"),
        ("DELETE", f"{_BASE}/roles/{{id}}", of_roles.delete, "role:delete", "Delete a custom role"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)
    routes.add("GET", f"{_BASE}/me", me.read, access="key", summary="Who calls, and what it may do", action="me:read")
    role_bindings.register(routes, parts)


def _role(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "organization_id": row["organization_id"],
        "built_in": False,
        "actions": list(row["actions"]),
        **{name: row[name] for name in ("created_at", "updated_at", "created_by", "updated_by")},
    }


def _trail(change: Change) -> dict[str, Any]:
    return {"created_at": change.now, "updated_at": change.now, "created_by": change.by, "updated_by": change.by}


def _home(row: Mapping[str, Any]) -> tuple[str, str | None]:
    organization = row["organization_id"]
    return ("organization", organization) if organization is not None else ("global", None)


def _only(body: Mapping[str, Any], fields: Sequence[str]) -> None:
    for name in body:
        if name not in fields:
            raise wrong(name, "there is no such field")


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or not value or len(value) > 512):
        raise wrong(name, "expected a text")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise wrong("name", "expected lower-case letters, digits, - and _, beginning with a letter")
    if value in BUILT_IN or value in LITELLM:
        raise wrong("name", f"{value!r} is the name of a built-in role")
    return value


def _permission(value: Any) -> Permission:
    if not isinstance(value, list) or not value or len(value) > _MOST_ACTIONS:
        raise wrong("actions", f"expected a list of 1 to {_MOST_ACTIONS} actions")
    try:
        return Permission.of(value)
    except ValueError as error:
        raise wrong("actions", str(error)) from None

"""Bindings: which user or key has which role at which scope.

What a role allows, and who may grant it, is decided in `access`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, delete, false, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.access import refusals
from routeiq_governance.access.places import SCOPES
from routeiq_governance.access.questions import Reach
from routeiq_governance.access.roles import BUILT_IN, LITELLM
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.shapes import answer, body_of, wrong
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.tables import bindings, roles, teams
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_PATH = "/routeiq/v1/bindings"
_MOST = 1000
_PRINCIPALS = ("user", "key")
_BOUND_AT = tuple(scope for scope in SCOPES if scope != "member")
_FIELDS = frozenset({"principal", "role", "scope", "scope_id"})


class Bindings:
    """The handlers of bindings."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list(self, request: HttpRequest) -> HttpResponse:
        """Bindings at the scopes that the caller reaches, and its own; `principal`, `scope`, `scope_id` narrow."""
        caller = await self._parts.identity.caller_of(request)
        reach = await self._parts.access.reach(caller, "binding:list")
        query = select(bindings).order_by(bindings.c.id).limit(_MOST)
        for name in ("principal", "scope", "scope_id"):
            if name in request.query:
                query = query.where(bindings.c[name] == request.query[name])
        if not reach.everywhere:
            query = query.where(_reached(reach, caller))
        async with self._parts.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return answer({"data": [_binding(row) for row in rows]})

    async def create(self, request: HttpRequest) -> HttpResponse:
        """Bind a role to a user or a key, at a scope. Nobody grants what they do not have there."""
        body = body_of(request)
        for name in body:
            if name not in _FIELDS:
                raise wrong(name, "there is no such field")
        caller = await self._parts.identity.caller_of(request)
        access = self._parts.access
        scope, scope_id = _scope(body)
        principal, kind, id = _principal(body.get("principal"))
        await access.require(caller, "binding:create", scope=scope, id=scope_id or None)
        if not await access.sees(caller, kind, id):
            raise refusals.not_found(kind, id)
        name = _text(body, "role") or ""
        await access.check_grant(caller, role=name, scope=scope, id=scope_id or None)
        async with changing(self._parts, caller) as change:
            row = {
                "id": f"binding-{secrets.token_hex(8)}",
                "principal": principal,
                "role": await self._role_id(change.connection, name, scope, scope_id),
                "scope": scope,
                "scope_id": scope_id,
                **_trail(change),
            }
            same = [bindings.c[column] == row[column] for column in ("principal", "role", "scope", "scope_id")]
            known = (await change.connection.execute(select(bindings).where(*same))).mappings().first()
            if known is not None:
                return answer(_binding(known))
            await change.connection.execute(insert(bindings).values(row))
            change.touch("bindings", row["id"])
        return answer(_binding(row), 201)

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Take a role away; it is gone with the next request."""
        caller = await self._parts.identity.caller_of(request)
        id = request.path_params["id"]
        async with changing(self._parts, caller) as change:
            row = (await change.connection.execute(select(bindings).where(bindings.c.id == id))).mappings().first()
            if row is None:
                raise refusals.not_found("binding", id)
            where = row["scope_id"] or None
            try:
                await self._parts.access.require(
                    caller, "binding:delete", scope=row["scope"], id=where, within=change.connection
                )
            except RequestError as refused:
                raise refusals.not_found("binding", id) if refused.status == 404 else refused from None
            await change.connection.execute(delete(bindings).where(bindings.c.id == id))
            change.touch("bindings", id)
        return answer({"id": id, "deleted": True})

    async def _role_id(self, connection: AsyncConnection, name: str, scope: str, scope_id: str) -> str:
        """The id under which a binding names its role: a built-in one's name, a custom one's id."""
        if name in BUILT_IN:
            return name
        if name in LITELLM:
            raise wrong("role", f"{name!r} is a role of LiteLLM: set it on the user, or bind one of ours")
        place = await self._parts.access.places.find(scope, scope_id or None, connection)
        tenants = sorted(place.tenants) if place is not None else []
        query = select(roles.c.id).where(
            or_(roles.c.id == name, roles.c.name == name),
            or_(roles.c.organization_id.is_(None), roles.c.organization_id.in_(tenants)),
        )
        row = (await connection.execute(query.order_by(roles.c.organization_id.desc()).limit(1))).first()
        if row is None:
            raise wrong("role", f"there is no role {name!r} here")
        return str(row[0])


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of bindings."""
    handlers = Bindings(parts)
    for method, path, handler, action, summary in (
        ("GET", _PATH, handlers.list, "binding:list", "Who has which role where"),
        ("POST", _PATH, handlers.create, "binding:create", "Give a role"),
        ("DELETE", f"{_PATH}/{{id}}", handlers.delete, "binding:delete", "Take a role away"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)


def _binding(row: Mapping[Any, Any]) -> dict[str, Any]:
    names = ("id", "principal", "role", "scope", "created_at", "updated_at", "created_by", "updated_by")
    return {**{name: row[name] for name in names}, "scope_id": row["scope_id"] or None}


def _trail(change: Change) -> dict[str, Any]:
    return {"created_at": change.now, "updated_at": change.now, "created_by": change.by, "updated_by": change.by}


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or not value or len(value) > 512):
        raise wrong(name, "expected a text")
    return value


def _scope(body: Mapping[str, Any]) -> tuple[str, str]:
    scope, scope_id = body.get("scope", "global"), _text(body, "scope_id")
    if scope not in _BOUND_AT:
        raise wrong("scope", f"expected one of {', '.join(_BOUND_AT)}")
    if (scope == "global") != (scope_id is None):
        raise wrong("scope_id", "the scope global has none, every other one has")
    return str(scope), scope_id or ""


def _principal(value: Any) -> tuple[str, str, str]:
    kind, _, id = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind not in _PRINCIPALS or not id or len(id) > 512:
        raise wrong("principal", "expected user:ID or key:HASH")
    return f"{kind}:{id}", kind, id


def _reached(reach: Reach, caller: Caller) -> ColumnElement[bool]:
    of_teams = select(teams.c.id).where(teams.c.organization_id.in_(sorted(reach.organizations)))
    at = [
        (bindings.c.scope == scope) & bindings.c.scope_id.in_(sorted(ids))
        for scope, ids in (
            ("organization", reach.organizations),
            ("team", reach.teams),
            ("user", reach.users),
            ("key", reach.keys),
        )
    ]
    at.append((bindings.c.scope == "team") & bindings.c.scope_id.in_(of_teams))
    own = [f"user:{caller.user}"] if caller.user is not None else []
    own += [f"key:{caller.key_id}"] if caller.key_id is not None else []
    return or_(*at, bindings.c.principal.in_(own) if own else false())

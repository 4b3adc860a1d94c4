"""Quotas while the gateway runs: made, changed, deleted, and how far each is used.

What a policy may say is `routeiq_governance.quotas.policy`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import missing
from routeiq_governance.api.shapes import answer, body_of, iso, wrong
from routeiq_governance.identity.caller import Caller
from routeiq_governance.quotas.policy import Policy, read_policy
from routeiq_governance.store.entities import teams
from routeiq_governance.store.tables import policies
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_MOST_LISTED = 1000


class Policies:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make a policy."""
        caller = await self._parts.identity.caller_of(request)
        policy = _read(body_of(request))
        if policy.name in {each.policy.name for each in self._parts.quotas.binding.written}:
            raise wrong("id", f"the configuration has a policy {policy.name!r}")
        async with changing(self._parts, caller) as change:
            await self._permit(caller, "policy:create", policy, change)
            if await self._found(change, policy.name) is not None:
                raise wrong("id", f"there is a policy {policy.name!r}")
            row = {
                "id": policy.name,
                "document": _document(policy),
                "organization_id": policy.scope.get("org"),
                "created_at": change.now,
                "updated_at": change.now,
                "created_by": change.by,
                "updated_by": change.by,
            }
            await change.connection.execute(insert(policies).values(row))
            change.touch("policies", policy.name)
        return answer(_shown({**row, "version": 1}))

    async def change(self, request: HttpRequest) -> HttpResponse:
        """Change a policy: absent fields stay, null clears."""
        caller = await self._parts.identity.caller_of(request)
        id = request.path_params["id"]
        body = body_of(request)
        async with changing(self._parts, caller) as change:
            row = await self._found(change, id)
            if row is None:
                raise missing("policy", id, "id")
            await self._permit(caller, "policy:update", _read({**row["document"], "id": id}), change)
            merged = {**row["document"], **body, "id": id}
            policy = _read({name: value for name, value in merged.items() if value is not None})
            await self._permit(caller, "policy:update", policy, change)
            values = {
                "document": _document(policy),
                "organization_id": policy.scope.get("org"),
                "updated_at": change.now,
                "updated_by": change.by,
                "version": row["version"] + 1,
            }
            await change.connection.execute(update(policies).where(policies.c.id == id).values(values))
            change.touch("policies", id)
        return answer(_shown({**row, **values}))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a policy; what it counted is forgotten with its windows."""
        caller = await self._parts.identity.caller_of(request)
        id = request.path_params["id"]
        async with changing(self._parts, caller) as change:
            row = await self._found(change, id)
            if row is None:
                raise missing("policy", id, "id")
            await self._permit(caller, "policy:delete", _read({**row["document"], "id": id}), change)
            await change.connection.execute(delete(policies).where(policies.c.id == id))
            change.touch("policies", id)
        return answer({"deleted": id})

    async def list(self, request: HttpRequest) -> HttpResponse:
        """All policies: those of the configuration, and those of the database."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        reach = await parts.access.reach(caller, "policy:list")
        written = [] if not reach.everywhere else [each.policy for each in parts.quotas.binding.written]
        rows = [{"id": policy.name, "source": "configuration", **_document(policy)} for policy in written]
        async with parts.database.read() as connection:
            statement = select(policies).order_by(policies.c.id).limit(_MOST_LISTED)
            if not reach.everywhere:
                statement = statement.where(policies.c.organization_id.in_(reach.organizations))
            found = (await connection.execute(statement)).mappings().all()
        return answer({"data": [*rows, *(_shown(dict(row)) for row in found)]})

    async def one(self, request: HttpRequest) -> HttpResponse:
        """One policy of the database."""
        caller = await self._parts.identity.caller_of(request)
        id = request.path_params["id"]
        async with changing(self._parts, caller) as change:
            row = await self._found(change, id)
            if row is None:
                raise missing("policy", id, "id")
            await self._permit(caller, "policy:read", _read({**row["document"], "id": id}), change)
        return answer(_shown(row))

    async def _permit(self, caller: Caller, action: str, policy: Policy, change: Change) -> None:
        """In whose scope a policy lies: an organization's or a team's that it names by id, else everybody's."""
        scope, id = "global", None
        if "org" in policy.scope and policy.scope["org"] != "*":
            scope, id = "organization", policy.scope["org"]
        elif "team" in policy.scope and await teams.get(change.connection, policy.scope["team"]) is not None:
            scope, id = "team", policy.scope["team"]
        await self._parts.access.require(caller, action, scope=scope, id=id, within=change.connection)

    @staticmethod
    async def _found(change: Change, id: str) -> dict[str, Any] | None:
        row = (await change.connection.execute(select(policies).where(policies.c.id == id))).mappings().first()
        return dict(row) if row is not None else None


def _read(written: Mapping[str, Any]) -> Policy:
    try:
        return read_policy(written)
    except ValueError as error:
        field, _, said = str(error).partition(": ")
        raise wrong(field, said or field) from None


def _document(policy: Policy) -> dict[str, Any]:
    found = policy.model_dump(mode="json", exclude={"id"}, exclude_none=True)
    return {**found, "limit": float(policy.limit)}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "source": "database",
        **row["document"],
        "version": row["version"],
        "created_at": iso(row["created_at"]),
        "created_by": row["created_by"],
        "updated_at": iso(row["updated_at"]),
        "updated_by": row["updated_by"],
    }


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of policies."""
    handlers = Policies(parts)
    for method, path, handler, action, summary in (
        ("POST", "/routeiq/v1/policies", handlers.new, "policy:create", "Make a quota"),
        ("GET", "/routeiq/v1/policies", handlers.list, "policy:list", "Quotas"),
        ("GET", "/routeiq/v1/policies/{id}", handlers.one, "policy:read", "One quota"),
        ("PATCH", "/routeiq/v1/policies/{id}", handlers.change, "policy:update", "Change a quota"),
        ("DELETE", "/routeiq/v1/policies/{id}", handlers.delete, "policy:delete", "Delete a quota"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)

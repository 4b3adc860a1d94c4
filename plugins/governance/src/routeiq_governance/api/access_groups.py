"""Access groups: names under which keys and teams are allowed several models at once.

What a group allows is decided in `access`; groups that rows of models name themselves need no entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, identifier, missing, text, texts
from routeiq_governance.api.shapes import answer, body_of, iso, wrong
from routeiq_governance.store.tables import access_groups
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

Names = list[str]
_FIELDS: Mapping[str, Check] = {
    "access_group": identifier,
    "access_group_name": identifier,
    "model_names": texts,
    "access_model_names": texts,
    "description": text,
}


class AccessGroups:
    """The handlers. Groups belong to no tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make a group."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "access_group:create", scope="global")
        fields = checked(body_of(request), _FIELDS)
        name = fields.get("access_group") or fields.get("access_group_name")
        if name is None:
            raise wrong("access_group", "is required")
        async with changing(parts, caller) as change:
            if await self._row(change, name) is not None:
                raise wrong("access_group", f"access group {name!r} already exists")
            row = {
                "id": name,
                "models": _models(fields) or [],
                "settings": {"description": fields["description"]} if fields.get("description") else {},
                "created_at": change.now,
                "updated_at": change.now,
                "created_by": change.by,
                "updated_by": change.by,
            }
            await change.connection.execute(insert(access_groups).values(row))
            change.touch("access_groups", name)
        return answer(_shown(row))

    async def list(self, request: HttpRequest) -> HttpResponse:
        """All groups: those made here, and those that rows of models name."""
        parts = self._parts
        await parts.identity.caller_of(request)
        async with parts.database.read() as connection:
            rows = (await connection.execute(select(access_groups).order_by(access_groups.c.id))).mappings().all()
        found = {row["id"]: _shown(dict(row)) for row in rows}
        for name, models in self._written().items():
            known = found.setdefault(name, {"access_group": name, "access_group_name": name, "model_names": []})
            known["model_names"] = list(dict.fromkeys([*known["model_names"], *models]))
            known["deployment_count"] = len(known["model_names"])
        return answer({"access_groups": list(found.values())})

    async def one(self, request: HttpRequest) -> HttpResponse:
        """One group."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        name = request.path_params["name"]
        async with changing(parts, caller) as change:
            row = await self._row(change, name)
        if row is not None:
            return answer(_shown(row))
        models = self._written().get(name)
        if models is None:
            raise missing("access group", name, "access_group")
        return answer({"access_group": name, "access_group_name": name, "model_names": models})

    async def change(self, request: HttpRequest) -> HttpResponse:
        """Change a group's models."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "access_group:update", scope="global")
        name = request.path_params["name"]
        fields = checked(body_of(request), _FIELDS)
        async with changing(parts, caller) as change:
            row = await self._row(change, name)
            if row is None:
                raise missing("access group", name, "access_group")
            models = _models(fields)
            settings = dict(row["settings"])
            if "description" in fields:
                settings["description"] = fields["description"]
            values = {
                "models": row["models"] if models is None else models,
                "settings": settings,
                "updated_at": change.now,
                "updated_by": change.by,
            }
            await change.connection.execute(update(access_groups).where(access_groups.c.id == name).values(values))
            change.touch("access_groups", name)
        return answer(_shown({**row, **values}))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a group; who named it alone may use no model by it."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "access_group:delete", scope="global")
        name = request.path_params["name"]
        async with changing(parts, caller) as change:
            if await self._row(change, name) is None:
                raise missing("access group", name, "access_group")
            await change.connection.execute(delete(access_groups).where(access_groups.c.id == name))
            change.touch("access_groups", name)
        return answer({"access_group": name, "message": "Access group deleted"})

    def _written(self) -> dict[str, Names]:
        found: dict[str, Names] = {}
        for name, group in self._parts.catalog.served().items():
            for deployment in group.deployments:
                for each in deployment.info.get("access_groups") or ():
                    if name not in found.setdefault(str(each), []):
                        found[str(each)].append(name)
        return found

    @staticmethod
    async def _row(change: Change, name: str) -> dict[str, Any] | None:
        query = select(access_groups).where(access_groups.c.id == name)
        found = (await change.connection.execute(query)).mappings().first()
        return dict(found) if found is not None else None


def _models(fields: Mapping[str, Any]) -> list[str] | None:
    found = fields.get("model_names", fields.get("access_model_names"))
    return None if found is None else list(dict.fromkeys(found))


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "access_group": row["id"],
        "access_group_id": row["id"],
        "access_group_name": row["id"],
        "model_names": list(row["models"]),
        "access_model_names": list(row["models"]),
        "description": row["settings"].get("description"),
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of access groups, under LiteLLM's two names."""
    handlers = AccessGroups(parts)
    for method, path, handler, action, summary in (
        ("POST", "/access_group/new", handlers.new, "access_group:create", "Make an access group"),
        ("PUT", "/access_group/{name}/update", handlers.change, "access_group:update", "Change an access group"),
        ("DELETE", "/access_group/{name}/delete", handlers.delete, "access_group:delete", "Delete an access group"),
        ("POST", "/v1/access_group", handlers.new, "access_group:create", "Make an access group"),
        ("PUT", "/v1/access_group/{name}", handlers.change, "access_group:update", "Change an access group"),
        ("DELETE", "/v1/access_group/{name}", handlers.delete, "access_group:delete", "Delete an access group"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)
    for path, handler, action, summary in (
        ("/access_group/list", handlers.list, "access_group:list", "Access groups"),
        ("/access_group/{name}/info", handlers.one, "access_group:read", "One access group"),
        ("/v1/access_group", handlers.list, "access_group:list", "Access groups"),
        ("/v1/access_group/{name}", handlers.one, "access_group:read", "One access group"),
    ):
        routes.add("GET", path, handler, access="key", summary=summary, action=action)

"""Access groups: names under which keys and teams are allowed several models at once. LiteLLM has two APIs for them,
`/access_group` and `/v1/access_group`; here both are views of the same groups.

What a group allows is decided in `access`; groups that rows of models name themselves need no entry here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from routeiq_governance.api.access_group_rows import group_of_models, group_of_things
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, document, identifier, missing, text, texts
from routeiq_governance.api.shapes import answer, body_of, wrong
from routeiq_governance.catalog.assigning import assigned, reassign
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.tables import access_groups
from routeiq_governance.store.tables import models as added_models
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_KEPT: Mapping[str, Check] = {
    "description": text,
    "access_mcp_server_ids": texts,
    "access_agent_ids": texts,
    "access_skill_names": texts,
    "mcp_tool_permissions": document,
}
_OF_MODELS: Mapping[str, Check] = {"access_group": identifier, "model_names": texts, "model_ids": texts}
_OF_THINGS: Mapping[str, Check] = {
    "access_group_name": identifier,
    "access_model_names": texts,
    "assigned_team_ids": texts,
    "assigned_key_ids": texts,
    **_KEPT,
}
Row = dict[str, Any]


class AccessGroups:
    """The handlers. Groups belong to no tenant: whoever runs the gateway makes them. `things` says which API asks."""

    def __init__(self, parts: Parts, *, things: bool) -> None:
        self._parts = parts
        self._things = things
        self._fields = _OF_THINGS if things else _OF_MODELS

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make a group."""
        parts = self._parts
        caller = await self._permitted(request, "create")
        field = "access_group_name" if self._things else "access_group"
        fields = checked(body_of(request), self._fields, required=(field,))
        name = fields[field]
        async with changing(parts, caller) as change:
            if await self._row(change, name) is not None:
                raise RequestError(409, f"access group {name!r} exists", type="conflict", param=field, code="409")
            row = {
                "id": name,
                "models": await self._models(change, fields) or [],
                "settings": {key: fields[key] for key in _KEPT if fields.get(key) is not None},
                "created_at": change.now,
                "updated_at": change.now,
                "created_by": change.by,
                "updated_by": change.by,
            }
            await change.connection.execute(insert(access_groups).values(row))
            await self._assign(change, name, fields)
            change.touch("access_groups", name)
            told = await self._shown(change, row)
        return answer(told, 201 if self._things else 200)

    async def listed(self, request: HttpRequest) -> HttpResponse:
        """The groups that the caller may see: those made here, and those that rows of models name."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        everywhere = await parts.access.allows(caller, "access_group:list", scope="global")
        async with changing(parts, caller) as change:
            rows = (await change.connection.execute(select(access_groups).order_by(access_groups.c.id))).mappings()
            found = {row["id"]: dict(row) for row in rows.all()}
            found |= {name: _unkept(name) for name in self._written() if name not in found and not self._things}
            seen = [row for name, row in sorted(found.items()) if everywhere or name in _named(caller)]
            told = [await self._shown(change, row) for row in seen]
        return answer(told if self._things else {"access_groups": told})

    async def one(self, request: HttpRequest) -> HttpResponse:
        """One group."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        name = request.path_params["name"]
        if name not in _named(caller) and not await parts.access.allows(caller, "access_group:read", scope="global"):
            raise missing("access group", name, "access_group")
        async with changing(parts, caller) as change:
            row = await self._row(change, name)
            if row is None and (self._things or name not in self._written()):
                raise missing("access group", name, "access_group")
            return answer(await self._shown(change, row or _unkept(name)))

    async def change(self, request: HttpRequest) -> HttpResponse:
        """Change a group: absent fields stay."""
        parts = self._parts
        caller = await self._permitted(request, "update")
        name = request.path_params["name"]
        fields = checked(body_of(request), self._fields)
        if fields.get("access_group_name") not in (None, name):
            raise wrong("access_group_name", "stays as it is: keys and teams name the group by it")
        async with changing(parts, caller) as change:
            row = await self._held(change, name)
            models = await self._models(change, fields)
            settings = {**row["settings"], **{key: fields[key] for key in _KEPT if key in fields}}
            values = {
                "models": row["models"] if models is None else models,
                "settings": {key: value for key, value in settings.items() if value is not None},
                "updated_at": change.now,
                "updated_by": change.by,
            }
            await change.connection.execute(update(access_groups).where(access_groups.c.id == name).values(values))
            await self._assign(change, name, fields)
            change.touch("access_groups", name)
            told = await self._shown(change, {**row, **values})
        return answer(told)

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a group; who named it alone may use no model by it."""
        parts = self._parts
        caller = await self._permitted(request, "delete")
        name = request.path_params["name"]
        async with changing(parts, caller) as change:
            row = await self._held(change, name)
            await change.connection.execute(delete(access_groups).where(access_groups.c.id == name))
            await self._assign(change, name, {"assigned_team_ids": [], "assigned_key_ids": []})
            change.touch("access_groups", name)
        if self._things:
            return HttpResponse(204)
        message = f"Access group '{name}' deleted successfully"
        return answer({"access_group": name, "models_updated": len(row["models"]), "message": message})

    async def _permitted(self, request: HttpRequest, verb: str) -> Caller:
        caller = await self._parts.identity.caller_of(request)
        await self._parts.access.require(caller, f"access_group:{verb}", scope="global")
        return caller

    async def _models(self, change: Change, fields: Mapping[str, Any]) -> list[str] | None:
        """The names of models that a request gives, those of rows (`model_ids`) among them; `None` when it gives
        none."""
        told = [fields[name] for name in ("model_names", "access_model_names") if fields.get(name) is not None]
        ids = fields.get("model_ids")
        if not told and ids is None:
            return None
        names = [name for names in told for name in names]
        by_id = {row.id: name for name, group in self._parts.catalog.served().items() for row in group.deployments}
        query = select(added_models.c.id, added_models.c.name).where(added_models.c.id.in_(ids or []))
        by_id |= {row[0]: row[1] for row in (await change.connection.execute(query)).all()}
        for id in ids or ():
            if id not in by_id:
                raise missing("model", id, "model_ids")
            names.append(by_id[id])
        return list(dict.fromkeys(names))

    async def _assign(self, change: Change, name: str, fields: Mapping[str, Any]) -> None:
        """Let exactly these teams and keys have the group, as far as a request says."""
        for kind, field in (("teams", "assigned_team_ids"), ("keys", "assigned_key_ids")):
            if fields.get(field) is not None:
                for id in await reassign(change.connection, kind, name, fields[field], change.now, change.by):
                    change.touch(kind, id)

    async def _shown(self, change: Change, row: Row) -> Row:
        if not self._things:
            return group_of_models(row, self._written().get(row["id"], ()), self._parts.catalog.served())
        teams = await assigned(change.connection, "teams", row["id"])
        return group_of_things(row, teams, await assigned(change.connection, "keys", row["id"]))

    def _written(self) -> dict[str, list[str]]:
        """The models of the groups that rows name, by group."""
        found: dict[str, list[str]] = {}
        for name, group in self._parts.catalog.served().items():
            for deployment in group.deployments:
                for each in deployment.info.get("access_groups") or ():
                    if name not in found.setdefault(str(each), []):
                        found[str(each)].append(name)
        return found

    async def _held(self, change: Change, name: str) -> Row:
        row = await self._row(change, name)
        if row is None:
            if name in self._written():
                raise wrong("access_group", f"{name!r} is written on rows of models: change their access_groups")
            raise missing("access group", name, "access_group")
        return row

    @staticmethod
    async def _row(change: Change, name: str) -> Row | None:
        query = select(access_groups).where(access_groups.c.id == name).with_for_update()
        found = (await change.connection.execute(query)).mappings().first()
        return dict(found) if found is not None else None


def _unkept(name: str) -> Row:
    """A group that only rows of models name."""
    return {"id": name, "models": [], "settings": {}, "created_at": None, "updated_at": None}


def _named(caller: Caller) -> Collection[str]:
    """The groups that the caller's own lists name."""
    found: set[str] = set()
    for entity in caller.entities:
        found.update(entity.models)
        written = entity.settings.get("access_group_ids")
        if isinstance(written, list | tuple):
            found.update(str(name) for name in written)
    return found


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of access groups, under LiteLLM's two APIs."""
    models, things = AccessGroups(parts, things=False), AccessGroups(parts, things=True)
    every, each = "/v1/access_group", "/v1/access_group/{name}"
    for method, path, handler, verb, summary in (
        ("POST", "/access_group/new", models.new, "create", "Make an access group"),
        ("PUT", "/access_group/{name}/update", models.change, "update", "Change an access group"),
        ("DELETE", "/access_group/{name}/delete", models.delete, "delete", "Delete an access group"),
        ("POST", every, things.new, "create", "Make an access group"),
        ("PUT", each, things.change, "update", "Change an access group"),
        ("DELETE", each, things.delete, "delete", "Delete an access group"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=f"access_group:{verb}")
    for path, handler, verb, summary in (
        ("/access_group/list", models.listed, "list", "Access groups"),
        ("/access_group/{name}/info", models.one, "list", "One access group"),
        (every, things.listed, "list", "Access groups"),
        (each, things.one, "list", "One access group"),
    ):
        routes.add("GET", path, handler, access="key", summary=summary, action=f"access_group:{verb}")

"""Models while the gateway runs: added, changed, blocked, deleted, and shown.

Rows of the YAML stay as they are; added ones are kept sealed and served after a reload.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, document, identifier, missing
from routeiq_governance.api.model_rows import group_row, info_row, shown
from routeiq_governance.api.shapes import answer, body_of, iso, page_of, wrong
from routeiq_governance.catalog.rows import Added
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.tables import models
from routeiq_sdk import ConfigError, RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_SERVED_SECONDS = 10.0
_FIELDS: Mapping[str, Check] = {"model_name": identifier, "litellm_params": document, "model_info": document}
_ONE: Mapping[str, Check] = {"id": identifier, "model_id": identifier, "model_info": document, "model_name": identifier}


class Models:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Add a model."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _FIELDS, required=("model_name", "litellm_params"))
        info = fields.get("model_info") or {}
        id, team = str(info.get("id") or uuid.uuid4()), info.get("team_id")
        async with changing(parts, caller) as change:
            await self._permit(caller, "model:create", team, change)
            if await self._row(change, id) is not None:
                raise wrong("model_info.id", f"model {id!r} already exists")
            row = _row(fields["model_name"], fields["litellm_params"], info)
            values = {
                "id": id,
                "name": fields["model_name"],
                "team_id": team,
                "blocked": bool(info.get("blocked", False)),
                "row": parts.catalog.sealed(id, row),
                "created_at": change.now,
                "updated_at": change.now,
                "created_by": change.by,
                "updated_by": change.by,
            }
            await change.connection.execute(insert(models).values(values))
            await self._check(change)
            change.touch("models", id)
        await self._served(fields["model_name"], id, True)
        return answer({"model_id": id, **_shown(parts.catalog.opened(values))})

    async def change(self, request: HttpRequest) -> HttpResponse:
        """Change an added model: given parameters replace those of the same name, null clears."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _FIELDS)
        id = request.path_params.get("id") or (fields.get("model_info") or {}).get("id")
        if not isinstance(id, str) or not id:
            raise wrong("model_info.id", "is required")
        async with changing(parts, caller) as change:
            added = await self._held(change, id)
            info = _merged(added.row.get("model_info", {}), fields.get("model_info"))
            await self._permit(caller, "model:update", added.team_id, change)
            await self._permit(caller, "model:update", info.get("team_id"), change)
            params = _merged(added.row["litellm_params"], fields.get("litellm_params"))
            name = fields.get("model_name") or added.name
            values = {
                "name": name,
                "team_id": info.get("team_id"),
                "row": parts.catalog.sealed(id, _row(name, params, info)),
                "updated_at": change.now,
                "updated_by": change.by,
            }
            await change.connection.execute(update(models).where(models.c.id == id).values(values))
            await self._check(change)
            change.touch("models", id)
            added = await self._held(change, id)
        await self._served(name, id, not added.blocked)
        return answer({"model_id": id, **_shown(added)})

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete an added model."""
        caller = await self._parts.identity.caller_of(request)
        id = checked(body_of(request), {"id": identifier}, required=("id",))["id"]
        async with changing(self._parts, caller) as change:
            added = await self._held(change, id)
            await self._permit(caller, "model:delete", added.team_id, change)
            await change.connection.execute(delete(models).where(models.c.id == id))
            change.touch("models", id)
        await self._served(added.name, id, False)
        return answer({"message": f"Model: {id} deleted successfully"})

    async def block(self, request: HttpRequest) -> HttpResponse:
        """Take an added model out of service."""
        return await self._set_blocked(request, True)

    async def unblock(self, request: HttpRequest) -> HttpResponse:
        """Put it back."""
        return await self._set_blocked(request, False)

    async def info(self, request: HttpRequest) -> HttpResponse:
        """The deployments that the caller may use, all or one (`litellm_model_id`)."""
        return answer({"data": await self._infos(request)})

    async def pages(self, request: HttpRequest) -> HttpResponse:
        """The same, by pages."""
        rows = await self._infos(request)
        page, size = page_of(request.query, 50)
        shown_now = rows[(page - 1) * size : page * size]
        total = len(rows)
        told = {"data": shown_now, "total_count": total, "current_page": page, "size": size}
        return answer({**told, "total_pages": -(-total // size)})

    async def groups(self, request: HttpRequest) -> HttpResponse:
        """The model groups that the caller may use."""
        wanted = request.query.get("model_group")
        principal = request.principal
        found = [
            group_row(group)
            for name, group in self._parts.catalog.served().items()
            if (wanted is None or name == wanted) and principal is not None and principal.may_use(name)
        ]
        return answer({"data": found})

    async def _infos(self, request: HttpRequest) -> list[dict[str, Any]]:
        wanted = request.query.get("litellm_model_id") or request.query.get("modelId")
        principal = request.principal
        rows = [
            info_row(deployment)
            for name, group in self._parts.catalog.served().items()
            if principal is not None and principal.may_use(name)
            for deployment in group.deployments
            if wanted is None or deployment.id == wanted
        ]
        if wanted is not None and not rows:
            raise missing("model", wanted, "litellm_model_id")
        return rows

    async def _set_blocked(self, request: HttpRequest, blocked: bool) -> HttpResponse:
        caller = await self._parts.identity.caller_of(request)
        fields = checked(body_of(request), _ONE)
        id = fields.get("id") or fields.get("model_id") or (fields.get("model_info") or {}).get("id")
        if not isinstance(id, str):
            raise wrong("id", "is required")
        async with changing(self._parts, caller) as change:
            added = await self._held(change, id)
            await self._permit(caller, "model:update", added.team_id, change)
            values = {"blocked": blocked, "updated_at": change.now, "updated_by": change.by}
            await change.connection.execute(update(models).where(models.c.id == id).values(values))
            change.touch("models", id)
            added = await self._held(change, id)
        await self._served(added.name, id, not blocked)
        return answer(_shown(added))

    async def _permit(self, caller: Caller, action: str, team: Any, change: Change) -> None:
        scope, id = ("team", str(team)) if team else ("global", None)
        await self._parts.access.require(caller, action, scope=scope, id=id, within=change.connection)

    async def _check(self, change: Change) -> None:
        """Whether the gateway could serve all rows, this change included; nothing of it stays when it could not."""
        try:
            self._parts.catalog.check(await self._parts.catalog.rows_in(change.connection))
        except ConfigError as error:
            raise RequestError(
                400, f"The model cannot be served: {error}", param="litellm_params", code="400"
            ) from None

    async def _served(self, name: str, id: str, wanted: bool) -> None:
        """Wait until this worker serves the change; others follow."""
        async with asyncio.timeout(_SERVED_SECONDS):
            while True:
                group = self._parts.catalog.served().get(name)
                found = group is not None and any(row.id == id for row in group.deployments)
                if found == wanted or "*" in name:
                    return
                await asyncio.sleep(0.02)

    async def _held(self, change: Change, id: str) -> Added:
        row = await self._row(change, id)
        if row is None:
            if any(row.id == id for group in self._parts.catalog.served().values() for row in group.deployments):
                raise wrong("id", f"model {id!r} is written in the YAML, which the API does not change")
            raise missing("model", id, "id")
        return self._parts.catalog.opened(row)

    @staticmethod
    async def _row(change: Change, id: str) -> Mapping[Any, Any] | None:
        found = (await change.connection.execute(select(models).where(models.c.id == id))).mappings().first()
        return dict(found) if found is not None else None


def _row(name: str, params: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in info.items() if key not in ("id", "db_model", "created_at", "updated_at")}
    return {"model_name": name, "litellm_params": dict(params), "model_info": kept}


def _merged(old: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    found = {**old, **(changes or {})}
    return {name: value for name, value in found.items() if value is not None}


def _shown(added: Added) -> dict[str, Any]:
    params = {name: shown(name, value) for name, value in added.row["litellm_params"].items()}
    return {
        "model_name": added.name,
        "litellm_params": params,
        "model_info": {name: shown(name, value) for name, value in added.row["model_info"].items()},
        "blocked": added.blocked,
        "created_at": iso(added.created_at),
        "created_by": added.created_by,
        "updated_at": iso(added.updated_at),
        "updated_by": added.updated_by,
    }


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of models."""
    handlers = Models(parts)
    for method, path, handler, action, summary in (
        ("POST", "/model/new", handlers.new, "model:create", "Add a model"),
        ("POST", "/model/update", handlers.change, "model:update", "Change an added model"),
        ("PATCH", "/model/{id}/update", handlers.change, "model:update", "Change an added model"),
        ("POST", "/model/delete", handlers.delete, "model:delete", "Delete an added model"),
        ("POST", "/model/block", handlers.block, "model:update", "Take an added model out of service"),
        ("POST", "/model/unblock", handlers.unblock, "model:update", "Put an added model back"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)
    for path, handler, summary in (
        ("/model/info", handlers.info, "Deployments"),
        ("/v1/model/info", handlers.info, "Deployments"),
        ("/v2/model/info", handlers.pages, "Deployments by pages"),
        ("/model_group/info", handlers.groups, "Model groups"),
    ):
        routes.add("GET", path, handler, access="key", summary=summary, action="model:list")

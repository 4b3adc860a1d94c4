"""Models at run time: rows of `model_list` that are added, changed, blocked and deleted while the gateway serves.

Rows of the YAML are the operator's: they are shown beside these and never changed here. Reading is in `model_reading`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api import model_reading
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, document, flag, identifier, missing
from routeiq_governance.api.model_rows import added_row
from routeiq_governance.api.shapes import answer, body_of, wrong
from routeiq_governance.catalog.checking import info_of, params_of, refuse_beyond_team, refuse_moved_key
from routeiq_governance.catalog.masking import unmasked
from routeiq_governance.catalog.naming import forget, inner_name, lead
from routeiq_governance.catalog.stored import AddedModel
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Team, teams
from routeiq_governance.store.secrets import Unsealable
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_FIELDS: Mapping[str, Check] = {
    "model_name": identifier,
    "litellm_params": document,
    "model_info": document,
    "blocked": flag,
}
_PUBLIC = "team_public_model_name"
_Edit = Callable[[AddedModel], AddedModel]


class Models:
    """The handlers. Each has the gateway look at its change before it is kept, and answers once it is served."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Add a model."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _FIELDS, required=("model_name", "litellm_params"))
        told = fields.get("model_info") or {}
        id = identifier("model_info.id", told["id"]) if told.get("id") is not None else str(uuid.uuid4())
        team_id = identifier("model_info.team_id", told["team_id"]) if told.get("team_id") is not None else None
        scope = "team" if team_id is not None else "global"
        await parts.access.require(caller, "model:create", scope=scope, id=team_id)
        params, info = params_of(fields["litellm_params"]), info_of(told)
        info.pop(_PUBLIC, None)
        if not await parts.access.allows(caller, "model:create", scope="global"):
            refuse_beyond_team(params, info, {})
        async with parts.catalog.serving(), changing(parts, caller) as change:
            if await self._is_taken(change, id):
                raise wrong("model_info.id", f"the id {id!r} is taken")
            model = AddedModel(
                id=id,
                name=fields["model_name"],
                params=params,
                info=info,
                team_id=team_id,
                blocked=bool(fields.get("blocked") or told.get("blocked")),
                created_at=change.now,
                updated_at=change.now,
                created_by=change.by,
                updated_by=change.by,
            )
            model = await self._named(change, model, fields["model_name"])
            await parts.catalog.models.insert(change.connection, model)
            await parts.catalog.check(change.connection)
            change.touch("models", id)
        return answer(added_row(model))

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change a model, named by `model_info.id`."""
        body = body_of(request)
        told = body.get("model_info")
        id = told.get("id") if isinstance(told, dict) else None
        return await self._update(request, identifier("model_info.id", id), body)

    async def patch(self, request: HttpRequest) -> HttpResponse:
        """Change a model, named by the path."""
        return await self._update(request, request.path_params["model_id"], body_of(request))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a model."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = checked(body_of(request), {"id": identifier}, required=("id",))["id"]
        async with parts.catalog.serving(), changing(parts, caller) as change:
            model = await self._held(change, caller, id, "model:delete")
            await parts.catalog.models.delete(change.connection, id)
            await self._forget(change, model)
            change.touch("models", id)
        return answer({"message": f"Model: {id} deleted successfully"})

    async def block(self, request: HttpRequest) -> HttpResponse:
        """Serve a model no more, and keep it."""
        return await self._set_blocked(request, True)

    async def unblock(self, request: HttpRequest) -> HttpResponse:
        """Serve a model again."""
        return await self._set_blocked(request, False)

    async def _set_blocked(self, request: HttpRequest, blocked: bool) -> HttpResponse:
        caller = await self._parts.identity.caller_of(request)
        id = checked(body_of(request), {"model_id": identifier}, required=("model_id",))["model_id"]
        return await self._edit(
            caller, id, "model:block", lambda model: msgspec.structs.replace(model, blocked=blocked)
        )

    async def _update(self, request: HttpRequest, id: str, body: Mapping[str, Any]) -> HttpResponse:
        caller = await self._parts.identity.caller_of(request)
        fields = checked(body, _FIELDS)
        told = fields.get("model_info") or {}
        everywhere = await self._parts.access.allows(caller, "model:update", scope="global")

        def edited(model: AddedModel) -> AddedModel:
            if told.get("id") not in (None, id) or told.get("team_id") not in (None, model.team_id):
                raise wrong("model_info", "id and team_id stay as they are: delete the model and add it anew")
            changed = unmasked(fields.get("litellm_params") or {}, model.params)
            params = params_of({**model.params, **changed})
            refuse_moved_key(fields.get("litellm_params") or {}, params, model.params)
            info = info_of({**model.info, **{name: value for name, value in told.items() if name != _PUBLIC}})
            if not everywhere:
                refuse_beyond_team(params, info, {**model.params, "model_info": model.info})
            blocked = fields.get("blocked") if "blocked" in fields else told.get("blocked")
            return msgspec.structs.replace(
                model, params=params, info=info, blocked=model.blocked if blocked is None else bool(blocked)
            )

        return await self._edit(caller, id, "model:update", edited, fields.get("model_name"))

    async def _edit(self, caller: Caller, id: str, action: str, edit: _Edit, name: str | None = None) -> HttpResponse:
        parts = self._parts
        async with parts.catalog.serving(), changing(parts, caller) as change:
            before = await self._held(change, caller, id, action)
            model = msgspec.structs.replace(edit(before), updated_at=change.now, updated_by=change.by)
            if name is not None and name not in (before.public_name, before.name):
                model = await self._named(change, model, name)
            await parts.catalog.models.save(change.connection, model)
            if model.name != before.name:
                await self._forget(change, before)
            await parts.catalog.check(change.connection)
            change.touch("models", id)
        return answer(added_row(model))

    async def _named(self, change: Change, model: AddedModel, name: str) -> AddedModel:
        """The model under a name; a team's under an inner one, to which the team's public name leads."""
        team = await self._team(change, model)
        if team is None:
            if model.team_id is not None:
                raise missing("team", model.team_id, "team_id")
            return msgspec.structs.replace(model, name=name)
        inner = await inner_name(change.connection, team, name)
        if await lead(change.connection, team, name, inner, change.now, change.by):
            change.touch("teams", team.id)
        return msgspec.structs.replace(model, name=inner, info={**model.info, _PUBLIC: name})

    async def _forget(self, change: Change, model: AddedModel) -> None:
        team = await self._team(change, model)
        if team is not None and await forget(change.connection, team, model.name, change.now, change.by):
            change.touch("teams", team.id)

    async def _team(self, change: Change, model: AddedModel) -> Team | None:
        return await change.held(teams, model.team_id) if model.team_id is not None else None

    async def _held(self, change: Change, caller: Caller, id: str, action: str) -> AddedModel:
        """One added model that the caller may change. Raises `RequestError`: 400 for a row of the YAML, 404, 403."""
        access = self._parts.access
        try:
            model = await self._parts.catalog.models.get(change.connection, id)
        except Unsealable as error:
            raise RequestError(409, str(error), type="conflict", param="id", code="409") from None
        if model is None:
            if id in model_reading.served(self._parts):
                message = f"Model {id!r} is written in the YAML: change it there, and reload."
                raise RequestError(400, message, param="id", code="400")
            raise missing("model", id, "id")
        scope = "global" if model.team_id is None or await self._team(change, model) is None else "team"
        team = model.team_id if scope == "team" else None
        if not await access.allows(caller, action, scope=scope, id=team, within=change.connection):
            if team is not None and not await access.sees(caller, "team", team, within=change.connection):
                raise missing("model", id, "id")
            await access.require(caller, action, scope=scope, id=team, within=change.connection)
        return model

    async def _is_taken(self, change: Change, id: str) -> bool:
        if id in model_reading.served(self._parts):
            return True
        return await self._parts.catalog.models.get(change.connection, id) is not None


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of models."""
    models = Models(parts)
    for method, path, handler, action, summary in (
        ("POST", "/model/new", models.new, "model:create", "Add a model"),
        ("POST", "/model/update", models.update, "model:update", "Change an added model"),
        ("PATCH", "/model/{model_id}/update", models.patch, "model:update", "Change an added model"),
        ("POST", "/model/delete", models.delete, "model:delete", "Delete an added model"),
        ("POST", "/model/block", models.block, "model:block", "Serve an added model no more"),
        ("POST", "/model/unblock", models.unblock, "model:block", "Serve an added model again"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)
    model_reading.register(routes, parts)

"""Models, read: rows and groups, those of the YAML and those that were added, as far as the caller may use them.

How a row looks is in `model_rows`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from routeiq_governance.api.fields import missing, one_of
from routeiq_governance.api.model_rows import columns, group_row, info_row
from routeiq_governance.api.shapes import answer, flag_of, page_of
from routeiq_governance.catalog.stored import AddedModel
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.secrets import Unsealable
from routeiq_governance.store.tables import models as table
from routeiq_sdk import Deployment, ModelGroup
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_TEAM = "team_id"
_SORTED = ("model_name", "created_at", "updated_at", "costs", "status")


def served(parts: Parts) -> Mapping[str, Deployment]:
    """The deployments that are served now, by id."""
    groups = parts.catalog.served().values()
    return {deployment.id: deployment for group in groups for deployment in group.deployments}


class Reading:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def rows(self, request: HttpRequest) -> HttpResponse:
        """All rows that the caller may use; `litellm_model_id` asks for one."""
        found = await self._rows(request)
        id = request.query.get("litellm_model_id")
        if id:
            found = [row for row in found if row["model_info"]["id"] == id]
            if not found:
                raise missing("model", id, "litellm_model_id")
        team = request.query.get("teamId")
        if team:
            found = [row for row in found if row["model_info"].get(_TEAM) in (None, team)]
        return answer({"data": found})

    async def pages(self, request: HttpRequest) -> HttpResponse:
        """The rows by pages, filtered and sorted."""
        query = request.query
        page, size = page_of(query, 50)
        found = await self._rows(request)
        for parameter, matches in (
            ("model", lambda row, told: row["model_name"] == told),
            ("search", lambda row, told: told.lower() in row["model_name"].lower()),
            ("modelId", lambda row, told: row["model_info"]["id"] == told),
            ("teamId", lambda row, told: row["model_info"].get(_TEAM) in (None, told)),
            ("access_group", lambda row, told: told in (row["model_info"].get("access_groups") or ())),
        ):
            if query.get(parameter):
                found = [row for row in found if matches(row, query[parameter])]
        if "blocked" in query:
            wanted = flag_of(query, "blocked")
            found = [row for row in found if bool(row["model_info"].get("blocked")) == wanted]
        if flag_of(query, "user_models_only"):
            caller = await self._parts.identity.caller_of(request)
            mine = {caller.user, caller.key_id} - {None}
            found = [row for row in found if row["model_info"].get("created_by") in mine]
        if query.get("sortBy"):
            column = one_of(_SORTED)("sortBy", query["sortBy"])
            down = one_of(("asc", "desc"))("sortOrder", query.get("sortOrder") or "asc") == "desc"
            found.sort(key=lambda row: columns(row)[column], reverse=down)
        count = len(found)
        return answer(
            {
                "data": found[(page - 1) * size : page * size],
                "total_count": count,
                "current_page": page,
                "total_pages": math.ceil(count / size),
                "size": size,
            }
        )

    async def groups(self, request: HttpRequest) -> HttpResponse:
        """The groups that the caller may use; `model_group` asks for one."""
        caller = await self._parts.identity.caller_of(request)
        wanted = request.query.get("model_group")
        found = []
        for name, group in self._parts.catalog.served().items():
            rows = tuple(row for row in group.deployments if self._may_use(request, caller, row))
            if not rows:
                continue
            shown = _public_name(rows[0], name)
            if wanted in (None, "", shown):
                found.append(group_row(ModelGroup(name, rows), shown))
        if wanted and not found:
            raise missing("model group", wanted, "model_group")
        return answer({"data": found})

    async def _rows(self, request: HttpRequest) -> list[dict[str, Any]]:
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        everywhere = await parts.access.allows(caller, "model:read", scope="global")
        added = await self._added()
        deployments = served(parts)
        found = []
        for id in dict.fromkeys([*deployments, *added]):
            row, model = deployments.get(id), added.get(id)
            runs = everywhere
            if model is not None and model.team_id is not None and not runs:
                runs = await parts.access.allows(caller, "model:update", scope="team", id=model.team_id)
            if runs or self._may_see(request, caller, row, model):
                found.append(info_row(row, model, whole=runs))
        return found

    def _may_see(self, request: HttpRequest, caller: Caller, row: Deployment | None, model: AddedModel | None) -> bool:
        if model is not None and (model.blocked or model.team_id not in (None, caller.team)):
            return False
        if row is not None:
            return self._may_use(request, caller, row)
        return model is not None and request.principal is not None and request.principal.may_use(model.name)

    def _may_use(self, request: HttpRequest, caller: Caller, row: Deployment) -> bool:
        principal = request.principal
        if principal is None:
            return False
        team = row.info.get(_TEAM)
        if caller.is_admin or team is None:
            return principal.may_use(row.group)
        return bool(team == caller.team)

    async def _added(self) -> dict[str, AddedModel]:
        async with self._parts.database.read() as connection:
            rows: Sequence[Any] = (await connection.execute(select(table).order_by(table.c.name))).mappings().all()
        found: dict[str, AddedModel] = {}
        for row in rows:
            try:
                found[row["id"]] = self._parts.catalog.models.opened(row)
            except Unsealable:
                continue  # it is not served either, and the log said so
        return found


def _public_name(row: Deployment, name: str) -> str:
    told = row.info.get("team_public_model_name")
    return told if isinstance(told, str) and row.info.get(_TEAM) is not None else name


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes that read."""
    reading = Reading(parts)
    for path, handler, summary in (
        ("/model/info", reading.rows, "Rows of models"),
        ("/v1/model/info", reading.rows, "Rows of models"),
        ("/v2/model/info", reading.pages, "Rows of models, by pages"),
        ("/model_group/info", reading.groups, "Models that may be asked for"),
    ):
        routes.add("GET", path, handler, access="key", summary=summary, action="model:read")

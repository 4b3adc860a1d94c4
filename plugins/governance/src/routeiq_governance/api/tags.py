"""Tags: labels of requests, with budgets.

How a request gets its tags is the core's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api.budget_rows import may_name, shared_limits, table_of
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, document, identifier, identifiers, missing, text
from routeiq_governance.api.patching import COMMON, patched
from routeiq_governance.api.reachable import Reachable
from routeiq_governance.api.shapes import answer, body_of, dollars, iso, nano, wrong
from routeiq_governance.api.spending import correct, spend_of
from routeiq_governance.identity.limits import over
from routeiq_governance.store.entities import Tag, tags
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_KEPT = ("model_info",)
_BOTH: Mapping[str, Check] = {
    **{name: check for name, check in COMMON.items() if name not in ("metadata", "blocked")},
    "name": identifier,
    "description": text,
    "model_info": document,
    "spend": nano,
}


class Tags:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make a tag."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _BOTH, required=("name",))
        await parts.access.require(caller, "tag:create", scope="global")
        await parts.access.check_fields(caller, "tag", fields, "global")
        async with changing(parts, caller) as change:
            name = fields["name"]
            if await tags.get(change.connection, name) is not None:
                raise wrong("name", f"tag {name!r} already exists")
            await may_name(parts, caller, change.connection, fields)
            made = Tag(id=name, spend_base=fields.get("spend") or 0, created_at=change.now, created_by=change.by)
            made = _patched(made, fields, change)
            await tags.insert(change.connection, made)
            change.touch("tags", name)
        row = (await self._rows([made]))[0]
        return answer({"message": f"Tag {name} created successfully", "tag": row})

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change a tag."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _BOTH, required=("name",))
        name = fields.pop("name")
        await parts.access.require(caller, "tag:update", scope="global")
        await parts.access.check_fields(caller, "tag", fields, "global")
        async with changing(parts, caller) as change:
            found = await change.held(tags, name)
            if found is None:
                raise missing("tag", name, "name")
            await may_name(parts, caller, change.connection, fields)
            found = _patched(found, fields, change)
            await tags.save(change.connection, found)
            change.touch("tags", name)
        if fields.get("spend") is not None:
            found = await correct(parts, caller, "tag", tags, found, fields["spend"])
        row = (await self._rows([found]))[0]
        return answer({"message": f"Tag {name} updated successfully", "tag": row})

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a tag. The ledger keeps what was spent under it."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        name = checked(body_of(request), {"name": identifier}, required=("name",))["name"]
        await parts.access.require(caller, "tag:delete", scope="global")
        async with changing(parts, caller) as change:
            if await tags.delete(change.connection, tags.table.c.id == name) == 0:
                raise missing("tag", name, "name")
            change.touch("tags", name)
        return answer({"message": f"Tag {name} deleted successfully"})

    async def info(self, request: HttpRequest) -> HttpResponse:
        """Several tags by name."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        names = checked(body_of(request), {"names": identifiers}, required=("names",))["names"]
        await parts.access.require(caller, "tag:read", scope="global")
        async with parts.database.read() as connection:
            found = await tags.many(connection, names)
        for name in names:
            if name not in found:
                raise missing("tag", name, "names")
        rows = await self._rows([found[name] for name in names])
        return answer({row["name"]: row for row in rows})

    async def all(self, request: HttpRequest) -> HttpResponse:
        """All tags."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "tag:list", scope="global")
        async with parts.database.read() as connection:
            found = await tags.find(connection)
        return answer(await self._rows(found))

    async def _rows(self, found: Sequence[Tag]) -> list[dict[str, Any]]:
        parts, now = self._parts, self._parts.now()
        async with parts.database.read() as connection:
            shared = await shared_limits(connection, (tag.budget_id for tag in found))
        spent = await spend_of(parts, "tag", found, shared)
        return [
            {
                "name": tag.id,
                "description": tag.description,
                "models": list(tag.models),
                "model_info": tag.settings.get("model_info", {}),
                "spend": dollars(spent[tag.id]),
                "budget_id": tag.budget_id,
                "litellm_budget_table": table_of(tag, over(shared.get(tag.budget_id or ""), tag.limits), now),
                "created_at": iso(tag.created_at),
                "updated_at": iso(tag.updated_at),
                "created_by": tag.created_by,
            }
            for tag in found
        ]


def _patched(tag: Tag, fields: Mapping[str, Any], change: Change) -> Tag:
    tag = patched(tag, fields, _KEPT, change.now, change.by)
    return msgspec.structs.replace(tag, description=fields["description"]) if "description" in fields else tag


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of tags."""
    routes = Reachable(routes)
    handlers = Tags(parts)
    for method, path, handler, action, summary in (
        ("POST", "/tag/new", handlers.new, "tag:create", "Make a tag"),
        ("POST", "/tag/update", handlers.update, "tag:update", "Change a tag"),
        ("POST", "/tag/delete", handlers.delete, "tag:delete", "Delete a tag"),
        ("POST", "/tag/info", handlers.info, "tag:read", "Several tags"),
        ("GET", "/tag/list", handlers.all, "tag:list", "All tags"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)

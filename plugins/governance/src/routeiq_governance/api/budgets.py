"""Budgets that several entities share by name.

What an entity is given of its own is kept with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Table

from routeiq_governance.api import limit_fields
from routeiq_governance.api.budget_rows import budget_row
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, identifier, identifiers, missing
from routeiq_governance.api.reachable import Reachable
from routeiq_governance.api.shapes import answer, body_of, resets_at, timestamp, wrong
from routeiq_governance.identity.limits import Limits
from routeiq_governance.store import tables
from routeiq_governance.store.entities import Budget, budgets
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_FIELDS: Mapping[str, Check] = {
    **{name: check for name, check in limit_fields.CHECKS.items() if name not in ("budget_limits", "tag_rpm_limit")},
    "budget_id": identifier,
    "budget_reset_at": timestamp,
}
_DESCRIBED: Mapping[str, tuple[str, str]] = {
    "max_parallel_requests": ("Integer", "Most requests at once."),
    "tpm_limit": ("Integer", "Most tokens a minute."),
    "rpm_limit": ("Integer", "Most requests a minute."),
    "tpd_limit": ("Integer", "Most tokens a day."),
    "budget_duration": ("String", "The window of the budget, such as 30d; without one it holds for ever."),
    "max_budget": ("Float", "US dollars after which requests are refused."),
    "soft_budget": ("Float", "US dollars after which an event is sent."),
    "model_max_budget": ("Object", "US dollars by model, each with a window of its own."),
}
_REFERRING: tuple[Table, ...] = (
    tables.organizations,
    tables.teams,
    tables.users,
    tables.keys,
    tables.customers,
    tables.tags,
    tables.members,
)


class Budgets:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make a budget."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _FIELDS)
        await parts.access.require(caller, "budget:create", scope="global")
        async with changing(parts, caller) as change:
            id = fields.get("budget_id") or str(uuid.uuid4())
            if await budgets.get(change.connection, id) is not None:
                raise wrong("budget_id", f"budget {id!r} already exists")
            made = _patched(Budget(id=id, created_at=change.now, created_by=change.by), fields, change)
            await budgets.insert(change.connection, made)
            change.touch("budgets", id)
        return answer(budget_row(made, parts.now()))

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change a budget, for all that name it."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _FIELDS, required=("budget_id",))
        await parts.access.require(caller, "budget:update", scope="global")
        async with changing(parts, caller) as change:
            found = await change.held(budgets, fields["budget_id"])
            if found is None:
                raise missing("budget", fields["budget_id"], "budget_id")
            found = _patched(found, fields, change)
            await budgets.save(change.connection, found)
            change.touch("budgets", found.id)
            change.touch("customers", "")
            change.touch("tags", "")
        return answer(budget_row(found, parts.now()))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a budget: what named it is bound by its own limits alone."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = checked(body_of(request), {"id": identifier}, required=("id",))["id"]
        await parts.access.require(caller, "budget:delete", scope="global")
        async with changing(parts, caller) as change:
            found = await change.held(budgets, id)
            if found is None:
                raise missing("budget", id, "id")
            for table in _REFERRING:
                await change.connection.execute(table.update().where(table.c.budget_id == id).values(budget_id=None))
                change.touch(table.name.removeprefix(tables.PREFIX), "")
            await budgets.delete(change.connection, budgets.table.c.id == id)
            change.touch("budgets", id)
        return answer(budget_row(found, parts.now()))

    async def info(self, request: HttpRequest) -> HttpResponse:
        """Several budgets by id."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        ids = checked(body_of(request), {"budgets": identifiers}, required=("budgets",))["budgets"]
        await parts.access.require(caller, "budget:read", scope="global")
        async with parts.database.read() as connection:
            found = await budgets.many(connection, ids)
        return answer([budget_row(found[id], parts.now()) for id in ids if id in found])

    async def all(self, request: HttpRequest) -> HttpResponse:
        """All budgets."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "budget:list", scope="global")
        async with parts.database.read() as connection:
            found = await budgets.find(connection)
        return answer([budget_row(budget, parts.now()) for budget in found])

    async def settings(self, request: HttpRequest) -> HttpResponse:
        """The fields of a budget, what each means and what it is set to."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = identifier("budget_id", request.query.get("budget_id"))
        await parts.access.require(caller, "budget:read", scope="global")
        async with parts.database.read() as connection:
            found = await budgets.get(connection, id)
        shown = limit_fields.shown(found.limits if found is not None else Limits(), parts.now())
        return answer([_setting(name, kind, about, shown[name]) for name, (kind, about) in _DESCRIBED.items()])


def _setting(name: str, kind: str, about: str, value: Any) -> dict[str, Any]:
    return {
        "field_name": name,
        "field_type": kind,
        "field_description": about,
        "field_value": value,
        "stored_in_db": value not in (None, {}),
        "field_default_value": None,
    }


def _patched(budget: Budget, fields: Mapping[str, Any], change: Change) -> Budget:
    limits = limit_fields.patched(budget.limits, fields, change.now)
    reset = fields.get("budget_reset_at")
    if reset is not None:
        limits = msgspec.structs.replace(limits, budget_since=_since(limits.budget_duration, reset))
    return msgspec.structs.replace(budget, limits=limits, updated_at=change.now, updated_by=change.by)


def _since(duration: str | None, reset: int) -> int:
    """The start of a window that ends at `reset`."""
    if duration is None:
        raise wrong("budget_reset_at", "a budget without a budget_duration is never reset")
    if duration.endswith("mo"):
        # Months differ: the window before one that begins at `reset` ends there, too.
        return reset
    return reset - (resets_at(duration, reset, reset) - reset)


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of budgets."""
    routes = Reachable(routes)
    handlers = Budgets(parts)
    for method, path, handler, action, summary in (
        ("POST", "/budget/new", handlers.new, "budget:create", "Make a budget that entities share"),
        ("POST", "/budget/update", handlers.update, "budget:update", "Change a budget"),
        ("POST", "/budget/delete", handlers.delete, "budget:delete", "Delete a budget"),
        ("POST", "/budget/info", handlers.info, "budget:read", "Several budgets"),
        ("GET", "/budget/list", handlers.all, "budget:list", "All budgets"),
        ("GET", "/budget/settings", handlers.settings, "budget:read", "The fields of a budget"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)

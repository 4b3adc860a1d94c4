"""Customers: the end users that requests name, with their budgets. Also served as `/end_user/*`.

How a request names one is the business of `identity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api.budget_rows import may_name, shared_limits, table_of
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, document, identifier, identifiers, missing, one_of, text
from routeiq_governance.api.listing import contains
from routeiq_governance.api.patching import COMMON, patched
from routeiq_governance.api.reachable import Reachable
from routeiq_governance.api.shapes import answer, body_of, dollars, nano, page_of, wrong
from routeiq_governance.api.spending import correct, spend_of
from routeiq_governance.identity.limits import over
from routeiq_governance.store.entities import Customer, customers
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_KEPT = ("allowed_model_region", "default_model", "object_permission")
_BOTH: Mapping[str, Check] = {
    **{name: check for name, check in COMMON.items() if name != "metadata"},
    "user_id": identifier,
    "alias": text,
    "spend": nano,
    "allowed_model_region": one_of(("eu", "us")),
    "default_model": text,
    "object_permission": document,
}
_IDS: Mapping[str, Check] = {"user_ids": identifiers}


class Customers:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Make a customer."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _BOTH, required=("user_id",))
        if fields.get("budget_id") is not None and fields.get("max_budget") is not None:
            raise wrong("budget_id", "set either max_budget or budget_id, not both")
        self._must_serve(fields)
        await parts.access.require(caller, "customer:create", scope="global")
        await parts.access.check_fields(caller, "customer", fields, "global")
        async with changing(parts, caller) as change:
            id = fields["user_id"]
            if await customers.get(change.connection, id) is not None:
                raise wrong("user_id", f"customer {id!r} already exists")
            await may_name(parts, caller, change.connection, fields)
            made = Customer(id=id, spend_base=fields.get("spend") or 0, created_at=change.now, created_by=change.by)
            made = _patched(made, fields, change)
            await customers.insert(change.connection, made)
            change.touch("customers", id)
        return answer((await self._rows([made]))[0])

    def _must_serve(self, fields: Mapping[str, Any]) -> None:
        model = fields.get("default_model")
        if model is not None and self._parts.quotas.group(model) is None:
            raise wrong("default_model", f"no model {model!r} is served here")

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change a customer."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = checked(body_of(request), _BOTH, required=("user_id",))
        id = fields.pop("user_id")
        self._must_serve(fields)
        await parts.access.require(caller, "customer:update", scope="global")
        await parts.access.check_fields(caller, "customer", fields, "global")
        async with changing(parts, caller) as change:
            found = await change.held(customers, id)
            if found is None:
                raise missing("customer", id, "user_id")
            await may_name(parts, caller, change.connection, fields)
            found = _patched(found, fields, change)
            await customers.save(change.connection, found)
            change.touch("customers", id)
        if fields.get("spend") is not None:
            found = await correct(parts, caller, "customer", customers, found, fields["spend"])
        return answer((await self._rows([found]))[0])

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete customers: all of them or none."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        ids = checked(body_of(request), _IDS, required=tuple(_IDS))["user_ids"]
        await parts.access.require(caller, "customer:delete", scope="global")
        async with changing(parts, caller) as change:
            for id in ids:
                if await change.held(customers, id) is None:
                    raise missing("customer", id, "user_ids")
            await customers.delete(change.connection, customers.table.c.id.in_(ids))
            change.touch("customers", *ids)
        told = f"Successfully deleted customers with ids: {ids}"
        return answer({"deleted_customers": len(ids), "message": told})

    async def block(self, request: HttpRequest) -> HttpResponse:
        """Refuse requests for customers; unknown ones are made."""
        return answer({"blocked_users": await self._set_blocked(request, True)})

    async def unblock(self, request: HttpRequest) -> HttpResponse:
        """Serve customers again."""
        rows = await self._set_blocked(request, False)
        return answer({"unblocked_users": rows, "blocked_users": await self._blocked()})

    async def _set_blocked(self, request: HttpRequest, blocked: bool) -> list[dict[str, Any]]:
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        ids = checked(body_of(request), _IDS, required=tuple(_IDS))["user_ids"]
        await parts.access.require(caller, "customer:update", scope="global")
        changed = []
        async with changing(parts, caller) as change:
            for id in ids:
                found = await change.held(customers, id)
                if found is None and not blocked:
                    raise missing("customer", id, "user_ids")
                made = found or Customer(id=id, created_at=change.now, created_by=change.by)
                made = _patched(made, {"blocked": blocked}, change)
                await (customers.insert if found is None else customers.save)(change.connection, made)
                changed.append(made)
            change.touch("customers", *ids)
        return await self._rows(changed)

    async def _blocked(self) -> list[str]:
        async with self._parts.database.read() as connection:
            found = await customers.find(connection, customers.table.c.blocked.is_(True), most=1000)
        return [customer.id for customer in found]

    async def info(self, request: HttpRequest) -> HttpResponse:
        """One customer."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = identifier("end_user_id", request.query.get("end_user_id"))
        await parts.access.require(caller, "customer:read", scope="global")
        async with parts.database.read() as connection:
            found = await customers.get(connection, id)
        if found is None:
            raise missing("customer", id, "end_user_id")
        return answer((await self._rows([found]))[0])

    async def all(self, request: HttpRequest) -> HttpResponse:
        """A page of customers, in the order of their ids."""
        parts, query, columns = self._parts, request.query, customers.table.c
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "customer:list", scope="global")
        page, size = page_of(query, 50)
        where = []
        if query.get("search"):
            where.append(contains(columns.id, query["search"]) | contains(columns.alias, query["search"]))
        async with parts.database.read() as connection:
            found = await customers.find(connection, *where, most=size, skip=(page - 1) * size)
        return answer(await self._rows(found))

    async def _rows(self, found: Sequence[Customer]) -> list[dict[str, Any]]:
        parts, now = self._parts, self._parts.now()
        async with parts.database.read() as connection:
            shared = await shared_limits(connection, (customer.budget_id for customer in found))
        spent = await spend_of(parts, "customer", found, shared)
        return [
            {
                "user_id": customer.id,
                "alias": customer.alias,
                "blocked": customer.blocked,
                "spend": dollars(spent[customer.id]),
                "models": list(customer.models),
                **{name: customer.settings.get(name) for name in _KEPT},
                "budget_id": customer.budget_id,
                "litellm_budget_table": table_of(
                    customer, over(shared.get(customer.budget_id or ""), customer.limits), now
                ),
            }
            for customer in found
        ]


def _patched(customer: Customer, fields: Mapping[str, Any], change: Change) -> Customer:
    customer = patched(customer, fields, _KEPT, change.now, change.by)
    return msgspec.structs.replace(customer, alias=fields["alias"]) if "alias" in fields else customer


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes, under both of their names."""
    routes = Reachable(routes)
    handlers = Customers(parts)
    for prefix in ("/customer", "/end_user"):
        for method, name, handler, action, summary in (
            ("POST", "new", handlers.new, "customer:create", "Make a customer"),
            ("POST", "update", handlers.update, "customer:update", "Change a customer"),
            ("POST", "delete", handlers.delete, "customer:delete", "Delete customers"),
            ("POST", "block", handlers.block, "customer:update", "Refuse requests for customers"),
            ("POST", "unblock", handlers.unblock, "customer:update", "Serve customers again"),
            ("GET", "info", handlers.info, "customer:read", "One customer"),
            ("GET", "list", handlers.all, "customer:list", "A page of customers"),
        ):
            routes.add(method, f"{prefix}/{name}", handler, access="admin", summary=summary, action=action)

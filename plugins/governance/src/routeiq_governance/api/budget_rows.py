"""Budgets as LiteLLM's clients read them: a shared one, and what binds an entity.

Who may change one is decided by the handlers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.api import limit_fields
from routeiq_governance.api.fields import missing
from routeiq_governance.api.shapes import iso
from routeiq_governance.identity.caller import Caller
from routeiq_governance.identity.limits import Limits
from routeiq_governance.store.entities import Bounded, Budget, budgets

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts


async def shared_limits(connection: AsyncConnection, ids: Iterable[str | None]) -> dict[str, Limits]:
    """The limits of the shared budgets that some entities name, by id."""
    wanted = sorted({id for id in ids if id is not None})
    found = await budgets.many(connection, wanted) if wanted else {}
    return {id: budget.limits for id, budget in found.items()}


async def may_name(parts: Parts, caller: Caller, connection: AsyncConnection, fields: Mapping[str, Any]) -> None:
    """Whether an entity may name the budget of a request: it exists (404), and the caller sees all budgets, since these
    belong to no tenant (403)."""
    id = fields.get("budget_id")
    if id is None:
        return
    await parts.access.require(caller, "budget:read", scope="global", within=connection)
    if await budgets.get(connection, id) is None:
        raise missing("budget", id, "budget_id")


def budget_table(limits: Limits, budget_id: str | None, now: int, **more: Any) -> dict[str, Any]:
    """`litellm_budget_table`: the limits that bind an entity."""
    return {"budget_id": budget_id, **limit_fields.shown(limits, now), **limit_fields.temporary(limits), **more}


def table_of(entity: Bounded, limits: Limits, now: int) -> dict[str, Any] | None:
    """`litellm_budget_table` of an entity, `None` when nothing binds it."""
    return budget_table(limits, entity.budget_id, now) if limits != Limits() else None


def budget_row(budget: Budget, now: int) -> dict[str, Any]:
    """A shared budget."""
    return {
        **budget_table(budget.limits, budget.id, now),
        "created_at": iso(budget.created_at),
        "created_by": budget.created_by,
        "updated_at": iso(budget.updated_at),
        "updated_by": budget.updated_by,
    }

"""What entities have spent, as the API shows it: in the window of their budget, or ever.

The figures are the ledger's; none is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.api.changing import changing
from routeiq_governance.identity.caller import Caller
from routeiq_governance.identity.limits import Limits, over
from routeiq_governance.identity.resolve import shared_limits
from routeiq_governance.store.entities import Bounded, Member, Repository

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

B = TypeVar("B", bound=Bounded)


async def spend_of(
    parts: Parts, scope: str, entities: Sequence[Bounded], shared: Mapping[str, Limits]
) -> dict[str, int]:
    """Nano-USD by id. `shared` are the limits of the budgets that the entities name."""
    if not entities:
        return {}
    found = await parts.ledger.spend(scope, [entity.id for entity in entities])
    limits = {entity.id: over(shared.get(entity.budget_id or ""), entity.limits) for entity in entities}
    windowed = await parts.quotas.spent(scope, limits)
    return {entity.id: windowed.get(entity.id, found.get(entity.id, 0) + entity.spend_base) for entity in entities}


async def spend_shown(parts: Parts, scope: str, entity: Bounded) -> int:
    """Nano-USD that one entity spent, in the window of its budget or ever."""
    async with parts.database.read() as connection:
        limits = await bound(connection, entity)
    return (await spend_of(parts, scope, [entity], {entity.budget_id or "": limits}))[entity.id]


async def bound(connection: AsyncConnection, entity: Bounded) -> Limits:
    """The limits of one entity with those of the budget that it names."""
    return await shared_limits(connection, entity)


async def member_spend(parts: Parts, members: Sequence[Member], shared: Mapping[str, Limits]) -> dict[str, int]:
    """Nano-USD by `team/user`."""
    limits = {
        f"{member.scope_id}/{member.user_id}": over(shared.get(member.budget_id or ""), member.limits)
        for member in members
    }
    if not limits:
        return {}
    found = await parts.ledger.spend("member", list(limits))
    windowed = await parts.quotas.spent("member", limits)
    return {id: windowed.get(id, found.get(id, 0)) for id in limits}


async def correct(parts: Parts, caller: Caller, scope: str, repository: Repository[B], entity: B, wanted: int) -> B:
    """The entity, with so much spent (nano-USD) from now on. The ledger's rows stay as they are."""
    spent = (await parts.ledger.spend(scope, [entity.id])).get(entity.id, 0)
    shown = await spend_shown(parts, scope, entity)
    async with changing(parts, caller) as change:
        held = await change.held(repository, entity.id)
        if held is None:
            return entity
        held = msgspec.structs.replace(held, spend_base=wanted - spent)
        limits = await bound(change.connection, held)
        await repository.save(change.connection, held)
        change.touch(repository.table.name.removeprefix("routeiq_"), entity.id)
    await parts.quotas.corrected(scope, entity.id, limits, wanted - shown)
    return held

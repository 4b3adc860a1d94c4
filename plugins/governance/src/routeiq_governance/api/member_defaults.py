"""What members of a team get when nothing is said for one of them: a budget that the team keeps for them.

What is set for a single member is the business of `team_members`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from routeiq_governance.api import limit_fields
from routeiq_governance.api.changing import Change
from routeiq_governance.store.entities import Budget, Team, budgets, members

MEMBER_DEFAULTS: Mapping[str, str] = {
    "team_member_budget": "max_budget",
    "team_member_budget_duration": "budget_duration",
    "team_member_rpm_limit": "rpm_limit",
    "team_member_tpm_limit": "tpm_limit",
    "team_member_model_max_budget": "model_max_budget",
}
"""Fields of a team, and the limit of its members that each of them is."""


async def with_member_defaults(change: Change, team: Team, fields: Mapping[str, Any]) -> Team:
    """The team with the budget of its members, made or changed as the request's fields say. A new one holds for those
    who are members already and have none."""
    told = {limit: fields[name] for name, limit in MEMBER_DEFAULTS.items() if name in fields}
    if not told:
        return team
    id = team.settings.get("team_member_budget_id")
    budget = await budgets.get(change.connection, id) if id is not None else None
    if budget is None:
        if all(value is None for value in told.values()):
            return team
        budget = Budget(
            id=str(uuid.uuid4()),
            settings={"members_of": team.id},
            created_at=change.now,
            updated_at=change.now,
            created_by=change.by,
            updated_by=change.by,
        )
        await budgets.insert(change.connection, budget)
        await _give(change, team.id, budget.id)
    limits = limit_fields.patched(budget.limits, told, change.now)
    changed = msgspec.structs.replace(budget, limits=limits, updated_at=change.now, updated_by=change.by)
    await budgets.save(change.connection, changed)
    change.touch("budgets", budget.id)
    return msgspec.structs.replace(team, settings={**team.settings, "team_member_budget_id": budget.id})


async def _give(change: Change, team: str, budget: str) -> None:
    columns = members.table.c
    without = (columns.scope == "team") & (columns.scope_id == team) & columns.budget_id.is_(None)
    for member in await members.find(change.connection, without):
        change.touch("members", f"{team}/{member.user_id}")
    await change.connection.execute(members.table.update().where(without).values(budget_id=budget))

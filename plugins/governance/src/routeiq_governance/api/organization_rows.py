"""Organizations as LiteLLM's clients read them, with members and teams.

Who may read one is decided by the handlers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from routeiq_governance.api.budget_rows import budget_table, shared_limits
from routeiq_governance.api.patching import metadata_of
from routeiq_governance.api.shapes import dollars, iso
from routeiq_governance.api.spending import spend_of
from routeiq_governance.api.team_rows import gather, team_rows
from routeiq_governance.identity.limits import Limits, over
from routeiq_governance.store.entities import Member, Organization, Team, User, members, teams, users

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

KEPT = (
    "access_group_ids",
    "allowed_passthrough_routes",
    "disable_global_guardrails",
    "enforced_params",
    "guardrails",
    "mcp_rpm_limit",
    "model_aliases",
    "object_permission",
    "policies",
    "prompts",
    "router_settings",
    "tags",
)
"""Fields of an organization that live in its settings."""


async def organization_rows(parts: Parts, found: Sequence[Organization]) -> list[dict[str, Any]]:
    """The organizations, each with its budget, members and teams."""
    now, ids = parts.now(), [organization.id for organization in found]
    async with parts.database.read() as connection:
        shared = await shared_limits(connection, (organization.budget_id for organization in found))
        joined: list[Member] = []
        of_them: list[Team] = []
        for start in range(0, len(ids), 500):
            part, table = ids[start : start + 500], members.table.c
            joined += await members.find(connection, table.scope == "organization", table.scope_id.in_(part))
            of_them += await teams.find(connection, teams.table.c.organization_id.in_(part))
        people = await users.many(connection, sorted({member.user_id for member in joined}))
        gathered = await gather(connection, of_them)
    spent = await spend_of(parts, "organization", found, shared)
    team_of = dict(zip((team.id for team in of_them), await team_rows(parts, of_them, gathered), strict=True))
    rows = []
    for organization in found:
        limits = over(shared.get(organization.budget_id or ""), organization.limits)
        rows.append(
            {
                **_row(organization, limits, spent[organization.id], now),
                "members": [member_row(m, people.get(m.user_id), now) for m in joined if m.scope_id == organization.id],
                "teams": [team_of[team.id] for team in of_them if team.organization_id == organization.id],
            }
        )
    return rows


def _row(organization: Organization, limits: Limits, spent: int, now: int) -> dict[str, Any]:
    settings = organization.settings
    return {
        "organization_id": organization.id,
        "organization_alias": organization.alias,
        "budget_id": organization.budget_id,
        "metadata": metadata_of(organization),
        "models": list(organization.models),
        "spend": dollars(spent),
        "blocked": organization.blocked,
        "litellm_budget_table": budget_table(limits, organization.budget_id, now),
        "object_permission": settings.get("object_permission"),
        "created_at": iso(organization.created_at),
        "created_by": organization.created_by,
        "updated_at": iso(organization.updated_at),
        "updated_by": organization.updated_by,
    }


def member_row(member: Member, user: User | None, now: int) -> dict[str, Any]:
    """One membership of an organization."""
    bound = member.limits != Limits()
    return {
        "user_id": member.user_id,
        "organization_id": member.scope_id,
        "user_role": member.role,
        "user_email": user.email if user is not None else None,
        "user_alias": user.alias if user is not None else None,
        "budget_id": member.budget_id,
        "litellm_budget_table": budget_table(member.limits, member.budget_id, now) if bound else None,
        "created_at": iso(member.created_at),
        "updated_at": iso(member.updated_at),
    }

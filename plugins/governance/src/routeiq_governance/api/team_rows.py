"""Teams as LiteLLM's clients read them, with their members and what was spent.

Who may read one is decided by the handlers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.api import limit_fields
from routeiq_governance.api.budget_rows import budget_table, shared_limits
from routeiq_governance.api.patching import metadata_of
from routeiq_governance.api.shapes import dollars, iso
from routeiq_governance.api.spending import member_spend, spend_of
from routeiq_governance.identity.limits import Limits, over
from routeiq_governance.store.entities import Member, Team, User, members, users

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

KEPT = (
    "access_group_ids",
    "allowed_passthrough_routes",
    "allowed_vector_store_indexes",
    "default_estimated_output_tokens",
    "default_estimated_output_tokens_per_model",
    "default_team_member_models",
    "denied_passthrough_routes",
    "disable_global_guardrails",
    "enforced_batch_output_expires_after",
    "enforced_file_expires_after",
    "guardrails",
    "mcp_rpm_limit",
    "model_aliases",
    "object_permission",
    "policies",
    "prompts",
    "require_trace_id",
    "router_settings",
    "rpm_limit_type",
    "secret_manager_settings",
    "tags",
    "team_member_key_duration",
    "team_member_permissions",
    "tpm_limit_type",
)
"""Fields of a team that live in its settings."""
MEMBER_MODELS = "member_models"
"""In a team's settings: the models of single members, by user."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What stands around some teams: their members, who these are, and the shared budgets that they name."""

    members: Mapping[str, Sequence[Member]]
    users: Mapping[str, User]
    budgets: Mapping[str, Limits]

    def of(self, team: str) -> Sequence[Member]:
        """A team's members."""
        return self.members.get(team, ())

    def budget(self, id: str | None) -> Limits | None:
        """The limits of a shared budget."""
        return self.budgets.get(id) if id is not None else None


async def gather(connection: AsyncConnection, teams: Sequence[Team]) -> Gathered:
    """Read it."""
    of_team: dict[str, list[Member]] = {}
    table = members.table.c
    for start in range(0, len(teams), 500):
        part = [team.id for team in teams[start : start + 500]]
        for member in await members.find(connection, table.scope == "team", table.scope_id.in_(part)):
            of_team.setdefault(member.scope_id, []).append(member)
    all_of_them = [member for found in of_team.values() for member in found]
    named = await users.many(connection, sorted({member.user_id for member in all_of_them}))
    budgets = [team.budget_id for team in teams] + [member.budget_id for member in all_of_them]
    budgets += [team.settings.get("team_member_budget_id") for team in teams]
    return Gathered(of_team, named, await shared_limits(connection, budgets))


async def team_rows(parts: Parts, teams: Sequence[Team], gathered: Gathered) -> list[dict[str, Any]]:
    """The teams, each as one row."""
    now = parts.now()
    spent = await spend_of(parts, "team", teams, gathered.budgets)
    return [_row(team, gathered, spent[team.id], now) for team in teams]


async def team_row(parts: Parts, team: Team) -> dict[str, Any]:
    """One team."""
    async with parts.database.read() as connection:
        gathered = await gather(connection, [team])
    return (await team_rows(parts, [team], gathered))[0]


def _row(team: Team, gathered: Gathered, spent: int, now: int) -> dict[str, Any]:
    settings = team.settings
    limits = over(gathered.budget(team.budget_id), team.limits)
    aliases = settings.get("model_aliases")
    return {
        "team_id": team.id,
        "team_alias": team.alias,
        "organization_id": team.organization_id,
        "admins": [],
        "members": [],
        "members_with_roles": [_person(member, gathered) for member in gathered.of(team.id)],
        "team_member_permissions": settings.get("team_member_permissions"),
        "metadata": metadata_of(team) | _default_budget(team),
        **limit_fields.shown(limits, now),
        "spend": dollars(spent),
        "models": list(team.models),
        "blocked": team.blocked,
        "budget_id": team.budget_id,
        "router_settings": settings.get("router_settings"),
        "access_group_ids": settings.get("access_group_ids", []),
        "policies": settings.get("policies", []),
        "default_team_member_models": settings.get("default_team_member_models", []),
        "object_permission": settings.get("object_permission"),
        "litellm_model_table": {"model_aliases": aliases} if aliases else None,
        "created_at": iso(team.created_at),
        "updated_at": iso(team.updated_at),
    }


def _person(member: Member, gathered: Gathered) -> dict[str, Any]:
    user = gathered.users.get(member.user_id)
    return {
        "user_id": member.user_id,
        "user_email": user.email if user is not None else None,
        "user_alias": user.alias if user is not None else None,
        "role": member.role,
    }


def _default_budget(team: Team) -> dict[str, Any]:
    budget = team.settings.get("team_member_budget_id")
    return {} if budget is None else {"team_member_budget_id": budget}


async def membership_rows(
    parts: Parts, teams: Sequence[Team], gathered: Gathered, only: Collection[str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """The memberships of these teams (of these users `only`), each with its limits and spend, by team."""
    now = parts.now()
    asked = [
        (team, member) for team in teams for member in gathered.of(team.id) if only is None or member.user_id in only
    ]
    spent = await member_spend(parts, [member for _, member in asked], gathered.budgets)
    rows: dict[str, list[dict[str, Any]]] = {team.id: [] for team in teams}
    for team, member in asked:
        shared = gathered.budget(member.budget_id)
        rows[team.id].append(_membership(member, team, shared, spent[f"{team.id}/{member.user_id}"], now))
    return rows


def _membership(member: Member, team: Team, shared: Limits | None, spent: int, now: int) -> dict[str, Any]:
    """One membership."""
    allowed = team.settings.get(MEMBER_MODELS, {}).get(member.user_id)
    limits = over(shared, member.limits)
    table = budget_table(limits, member.budget_id, now, allowed_models=allowed or [])
    default = member.budget_id is not None and member.budget_id == team.settings.get("team_member_budget_id")
    bound = limits != Limits() or bool(allowed)
    return {
        "user_id": member.user_id,
        "team_id": team.id,
        "budget_id": member.budget_id,
        "spend": dollars(spent),
        "total_spend": dollars(spent),
        "litellm_budget_table": table if bound else None,
        "budget_source": "custom" if member.limits != Limits() else "team_default" if default else "none",
    }

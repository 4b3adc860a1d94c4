"""Users as LiteLLM's clients read them.

Who may read one is decided by the handlers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from routeiq_governance.api import limit_fields
from routeiq_governance.api.budget_rows import shared_limits
from routeiq_governance.api.patching import metadata_of
from routeiq_governance.api.shapes import dollars, iso
from routeiq_governance.api.spending import spend_of
from routeiq_governance.identity.limits import Limits, over
from routeiq_governance.store.entities import User, members

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

KEPT = (
    "access_group_ids",
    "aliases",
    "allowed_cache_controls",
    "allowed_passthrough_routes",
    "budget_fallbacks",
    "config",
    "default_estimated_output_tokens",
    "disable_global_guardrails",
    "enforced_params",
    "guardrails",
    "mcp_rpm_limit",
    "object_permission",
    "permissions",
    "policies",
    "prompts",
    "router_settings",
    "tags",
)
"""Fields of a user that live in its settings."""


async def user_rows(parts: Parts, found: Sequence[User]) -> list[dict[str, Any]]:
    """The users, each as one row with the ids of its teams and organizations."""
    now, ids = parts.now(), [user.id for user in found]
    of_user: dict[str, dict[str, list[str]]] = {id: {"team": [], "organization": []} for id in ids}
    async with parts.database.read() as connection:
        shared = await shared_limits(connection, (user.budget_id for user in found))
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            for member in await members.find(connection, members.table.c.user_id.in_(part)):
                of_user[member.user_id][member.scope].append(member.scope_id)
    spent = await spend_of(parts, "user", found, shared)
    return [
        _row(user, over(shared.get(user.budget_id or ""), user.limits), of_user[user.id], spent, now) for user in found
    ]


def _row(
    user: User, limits: Limits, member_of: dict[str, list[str]], spent: dict[str, int], now: int
) -> dict[str, Any]:
    settings = user.settings
    return {
        "user_id": user.id,
        "user_email": user.email,
        "user_alias": user.alias,
        "user_role": user.role,
        "sso_user_id": user.external_id,
        "organization_id": user.organization_id,
        "organizations": member_of["organization"],
        "teams": member_of["team"],
        "metadata": metadata_of(user),
        **limit_fields.shown(limits, now),
        "spend": dollars(spent[user.id]),
        "models": list(user.models),
        "blocked": user.blocked,
        "active": user.active,
        "budget_id": user.budget_id,
        "allowed_cache_controls": settings.get("allowed_cache_controls", []),
        "policies": settings.get("policies", []),
        "object_permission": settings.get("object_permission"),
        "created_at": iso(user.created_at),
        "updated_at": iso(user.updated_at),
    }

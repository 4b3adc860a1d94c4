"""Keys as LiteLLM's clients read them, with what was spent. The key itself is in none of them.

Who may read one is decided by the handlers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from routeiq_governance.api import limit_fields
from routeiq_governance.api.budget_rows import shared_limits, table_of
from routeiq_governance.api.patching import metadata_of
from routeiq_governance.api.shapes import dollars, iso, iso_or_none
from routeiq_governance.api.spending import spend_of
from routeiq_governance.identity.limits import Limits, over
from routeiq_governance.store.entities import Key

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

KEPT = (
    "access_group_ids",
    "agent_id",
    "aliases",
    "allowed_cache_controls",
    "allowed_passthrough_routes",
    "allowed_routes",
    "allowed_vector_store_indexes",
    "auto_rotate",
    "budget_fallbacks",
    "config",
    "default_estimated_output_tokens",
    "default_estimated_output_tokens_per_model",
    "denied_passthrough_routes",
    "disable_global_guardrails",
    "enforced_batch_output_expires_after",
    "enforced_file_expires_after",
    "enforced_params",
    "guardrails",
    "key_type",
    "mcp_rpm_limit",
    "object_permission",
    "permissions",
    "policies",
    "project_id",
    "prompts",
    "require_trace_id",
    "rotation_interval",
    "router_settings",
    "rpm_limit_type",
    "tags",
    "throttle_on_budget_exceeded",
    "tpm_limit_type",
)
"""Fields of a key that live in its settings."""


async def key_rows(parts: Parts, keys: Sequence[Key]) -> list[dict[str, Any]]:
    """The keys, each as one row."""
    async with parts.database.read() as connection:
        budgets = await shared_limits(connection, [key.budget_id for key in keys])
    spent = await spend_of(parts, "key", keys, budgets)
    now = parts.database.now()
    return [_row(key, budgets.get(key.budget_id or ""), spent[key.id], now) for key in keys]


async def key_row(parts: Parts, key: Key) -> dict[str, Any]:
    """One key."""
    return (await key_rows(parts, [key]))[0]


def _row(key: Key, shared: Limits | None, spent: int, now: int) -> dict[str, Any]:
    settings = key.settings
    limits = over(shared, key.limits)
    return {
        "token": key.id,
        "token_id": key.id,
        "key_name": key.name,
        "key_alias": key.alias,
        "spend": dollars(spent),
        "expires": iso_or_none(key.expires_at),
        "models": list(key.models),
        "aliases": settings.get("aliases", {}),
        "config": settings.get("config", {}),
        "user_id": key.user_id,
        "team_id": key.team_id,
        "organization_id": key.organization_id,
        "project_id": settings.get("project_id"),
        "agent_id": settings.get("agent_id"),
        "permissions": settings.get("permissions", {}),
        "metadata": metadata_of(key) | ({"service_account_id": key.alias} if key.service_account else {}),
        **limit_fields.shown(limits, now),
        **limit_fields.temporary(limits),
        "model_spend": {},
        "blocked": key.blocked,
        "budget_id": key.budget_id,
        "litellm_budget_table": table_of(key, limits, now) if key.budget_id is not None else None,
        "allowed_routes": settings.get("allowed_routes", []),
        "allowed_cache_controls": settings.get("allowed_cache_controls", []),
        "key_type": settings.get("key_type"),
        "router_settings": settings.get("router_settings"),
        "access_group_ids": settings.get("access_group_ids", []),
        "policies": settings.get("policies", []),
        "object_permission": settings.get("object_permission"),
        "auto_rotate": settings.get("auto_rotate", False),
        "rotation_interval": settings.get("rotation_interval"),
        "created_at": iso(key.created_at),
        "created_by": key.created_by,
        "updated_at": iso(key.updated_at),
        "updated_by": key.updated_by,
    }

"""Which fields of an entity are privileged: a reviewed table from field to the action that setting it needs.

Fields that are not named need `RESOURCE:update` (or `RESOURCE:create` while it is made) and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_LIMITS = (
    "max_budget",
    "soft_budget",
    "budget_duration",
    "budget_id",
    "budget_limits",
    "budget_reset_at",
    "model_max_budget",
    "budget_fallbacks",
    "temp_budget_increase",
    "temp_budget_expiry",
    "throttle_on_budget_exceeded",
    "max_parallel_requests",
    "tpm_limit",
    "rpm_limit",
    "tpd_limit",
    "rpd_limit",
    "tpm_limit_type",
    "rpm_limit_type",
    "model_tpm_limit",
    "model_rpm_limit",
    "mcp_rpm_limit",
    "tag_rpm_limit",
)
_MODELS = (
    "models",
    "access_group_ids",
    "object_permission",
    "allowed_passthrough_routes",
    "allowed_vector_store_indexes",
)
_GUARDS = (
    "guardrails",
    "policies",
    "disable_global_guardrails",
    "disable_global_policies",
    "opted_out_global_guardrails",
)
PERMIT = "gateway:permit"
"""Held by owners of everything alone: what reaches beyond any tenant."""
CORRECT = "spend:correct"


def _table(**actions: tuple[str, ...]) -> Mapping[str, str]:
    return MappingProxyType(
        {field: action.replace("__", ":") for action, fields in actions.items() for field in fields}
    )


FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "key": _table(
            key__limit=_LIMITS,
            key__block=("blocked",),
            gateway__permit=("permissions", "allowed_passthrough_routes"),
            spend__correct=("spend",),
        ),
        "team": _table(
            team__limit=(
                *_LIMITS,
                *_MODELS,
                "model_aliases",
                "team_member_budget",
                "team_member_budget_duration",
                "team_member_key_duration",
                "team_member_rpm_limit",
                "team_member_tpm_limit",
                "router_settings",
            ),
            team__guard=_GUARDS,
            team__move=("organization_id",),
            team__block=("blocked",),
            gateway__permit=("permissions",),
            spend__correct=("spend",),
        ),
        "user": _table(
            user__promote=("user_role",),
            user__limit=(*_LIMITS, *_MODELS),
            user__identify=("user_email", "sso_user_id", "external_id"),
            user__move=("organization_id", "organizations", "teams", "team_id"),
            user__block=("blocked", "active"),
            user__guard=_GUARDS,
            gateway__permit=("permissions",),
            spend__correct=("spend",),
        ),
        "organization": _table(
            organization__limit=(*_LIMITS, *_MODELS, "model_aliases", "router_settings"),
            organization__guard=_GUARDS,
            organization__block=("blocked",),
            spend__correct=("spend",),
        ),
        "customer": _table(customer__limit=(*_LIMITS, *_MODELS), spend__correct=("spend",)),
        "tag": _table(tag__limit=(*_LIMITS, *_MODELS), spend__correct=("spend",)),
        "budget": MappingProxyType({}),
        "member": _table(spend__correct=("spend",)),
    }
)


def needed(resource: str, field: str, scope: str) -> str:
    """The action that setting `field` needs. Raises `LookupError` for a resource that is not in the table."""
    special = FIELDS[resource].get(field)
    if special is None or (scope != resource and special.endswith(":move")):
        return base(resource, scope)  # what is made is put somewhere, not moved
    return special


def base(resource: str, scope: str) -> str:
    """The action for plain fields: of the entity itself an update; in the scope around it a creation."""
    if resource == "member":
        return f"{scope}:update"
    return f"{resource}:update" if scope == resource else f"{resource}:create"


def instead(action: str) -> frozenset[str]:
    """Actions that let a caller through the gate of a route that declares `action`: with one of them it may set some
    fields, which the handler looks at one by one."""
    resource, _, verb = action.partition(":")
    if verb not in ("update", "create"):
        return frozenset()
    return frozenset(FIELDS.get(resource, {}).values()) - {PERMIT, CORRECT}

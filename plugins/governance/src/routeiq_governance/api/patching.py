"""A merge patch of an entity: limits, models, metadata, and what is only kept for others.

Which fields an entity has, and who may set them, is the business of its own module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import msgspec

from routeiq_governance.api import limit_fields
from routeiq_governance.api.fields import Check, checked, document, flag, identifier, texts
from routeiq_governance.store.entities import Bounded

B = TypeVar("B", bound=Bounded)

COMMON: Mapping[str, Check] = {
    **limit_fields.CHECKS,
    "models": texts,
    "metadata": document,
    "blocked": flag,
    "budget_id": identifier,
}
IN_METADATA = (
    "allowed_passthrough_routes",
    "allowed_vector_store_indexes",
    "default_estimated_output_tokens",
    "default_estimated_output_tokens_per_model",
    "denied_passthrough_routes",
    "disable_global_guardrails",
    "enforced_batch_output_expires_after",
    "enforced_file_expires_after",
    "enforced_params",
    "guardrails",
    "mcp_rpm_limit",
    "model_rpm_limit",
    "model_tpm_limit",
    "prompts",
    "require_trace_id",
    "tag_rpm_limit",
    "tags",
    "team_member_key_duration",
)
"""Fields that LiteLLM's clients write in `metadata`, too, and read there."""


def understood(body: Mapping[str, Any], checks: Mapping[str, Check], required: Collection[str] = ()) -> dict[str, Any]:
    """The checked fields of a request; those that stand in `metadata` are taken out of it. Raises `RequestError`."""
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        lifted = {name: metadata[name] for name in IN_METADATA if name in metadata and name in checks}
        rest = {name: value for name, value in metadata.items() if name not in lifted}
        body = {**lifted, **body, "metadata": rest}
    return checked(body, checks, required)


def patched(entity: B, fields: Mapping[str, Any], kept: Collection[str], now: int, by: str) -> B:
    """The entity after the patch: an absent field stays, `None` clears. `kept` are the fields that live in its
    settings."""
    changes: dict[str, Any] = {"limits": limit_fields.patched(entity.limits, fields, now)}
    if "models" in fields:
        changes["models"] = tuple(fields["models"] or ())
    if "metadata" in fields:
        changes["meta"] = fields["metadata"] or {}
    if "blocked" in fields:
        changes["blocked"] = bool(fields["blocked"])
    if "budget_id" in fields:
        changes["budget_id"] = fields["budget_id"]
    settings = dict(entity.settings)
    for name in kept:
        if name in fields:
            settings.pop(name, None)
            if fields[name] is not None:
                settings[name] = fields[name]
    return msgspec.structs.replace(entity, **changes, settings=settings, updated_at=now, updated_by=by)


def metadata_of(entity: Bounded) -> dict[str, Any]:
    """An entity's metadata as LiteLLM's clients read it: the caller's own, and the fields that live there."""
    settings = {name: entity.settings[name] for name in IN_METADATA if name in entity.settings}
    return {**entity.meta, **settings, **limit_fields.shown_in_metadata(entity.limits)}

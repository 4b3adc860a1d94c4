"""Keys of LiteLLM's sections that would protect something which this gateway does not have or does not enforce.

They stop the start, as they would without this plugin, unless the operator accepts them by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from routeiq_sdk import FromLitellm, PluginConfig

GENERAL = (
    "allowed_file_extensions",
    "blocked_file_extensions",
    "disable_bedrock_agent_runtime_passthrough",
    "disable_env_credential_login",
    "max_batch_file_records",
    "max_batch_file_size_mb",
    "max_batch_file_uploads_per_day",
    "max_failed_login_attempts_per_source*",
    "max_file_downloads_per_minute",
    "max_file_size_mb",
    "password_policy_*",
    "search_tool_deny_by_default",
    "vector_store_deny_by_default",
)
LITELLM = (
    "budget_exceeded_throttle_percentage",
    "budget_rollover",
    "max_ui_session_budget",
    "overwrite_user_with_key_hash",
    "priority_reservation",
)
ROUTER = ("default_max_parallel_requests",)
ROWS = ("max_file_size_mb",)


class UnenforcedKeys(PluginConfig):
    """The fields are empty once checked: nothing of the sections is kept."""

    accepted_unenforced: Annotated[tuple[str, ...], FromLitellm("routeiq.compat.accept_unenforced")] = Field(
        (), description="Keys that the operator accepts unenforced."
    )
    general_keys: Annotated[tuple[str, ...], FromLitellm("general_settings")] = Field(
        (), description="`general_settings` is looked at for protective keys that are not enforced."
    )
    litellm_keys: Annotated[tuple[str, ...], FromLitellm("litellm_settings")] = Field(
        (), description="`litellm_settings` is looked at for protective keys that are not enforced."
    )
    router_keys: Annotated[tuple[str, ...], FromLitellm("router_settings")] = Field(
        (), description="`router_settings` is looked at for protective keys that are not enforced."
    )
    row_keys: Annotated[tuple[str, ...], FromLitellm("model_list")] = Field(
        (), description="`model_list` is looked at for protective keys that are not enforced."
    )

    @field_validator("general_keys", mode="before")
    @classmethod
    def _general(cls, section: Any, info: ValidationInfo) -> tuple[str, ...]:
        return _checked("general_settings", section, GENERAL, info)

    @field_validator("litellm_keys", mode="before")
    @classmethod
    def _litellm(cls, section: Any, info: ValidationInfo) -> tuple[str, ...]:
        return _checked("litellm_settings", section, LITELLM, info)

    @field_validator("router_keys", mode="before")
    @classmethod
    def _router(cls, section: Any, info: ValidationInfo) -> tuple[str, ...]:
        return _checked("router_settings", section, ROUTER, info)

    @field_validator("row_keys", mode="before")
    @classmethod
    def _rows(cls, rows: Any, info: ValidationInfo) -> tuple[str, ...]:
        for row in rows if isinstance(rows, Sequence) else ():
            params = row.get("litellm_params") if isinstance(row, Mapping) else None
            _checked("model_list[].litellm_params", params, ROWS, info)
        return ()


def _checked(place: str, section: Any, names: Sequence[str], info: ValidationInfo) -> tuple[str, ...]:
    accepted = info.data.get("accepted_unenforced", ())
    found = [
        f"{place}.{key}"
        for key in (section if isinstance(section, Mapping) else ())
        if any(fnmatchcase(str(key), name) for name in names) and section[key] not in (None, False)
    ]
    wrong = [key for key in found if not {key, place} & set(accepted)]
    if wrong:
        raise ValueError(
            f"{', '.join(wrong)}: this gateway does not enforce it; remove it, "
            "or list it in routeiq.compat.accept_unenforced"
        )
    return ()

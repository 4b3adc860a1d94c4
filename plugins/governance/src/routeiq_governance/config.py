"""What can be configured: this plugin's own block, and the keys of LiteLLM's sections that it implements.

Parsing policies and checking limits belong to `quotas`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from routeiq_governance.access.settings import AccessSettings
from routeiq_governance.api.key_defaults import KeySettings
from routeiq_governance.defaults import Dollars, Duration, TeamDefaults, UserDefaults
from routeiq_governance.quotas.settings import QuotaSettings
from routeiq_sdk import FromLitellm, Secret


class GovernanceConfig(AccessSettings, QuotaSettings, KeySettings):
    """Governance. Without a line of YAML: an embedded SQLite file, strict admission, no policies."""

    database_url: Annotated[Secret | None, FromLitellm("general_settings.database_url")] = Field(
        None, description="Where keys, users and spend are kept: a PostgreSQL address; else an embedded SQLite file."
    )
    encryption_key: tuple[Secret, ...] | Secret = Field(
        (),
        description="Secrets that seal credentials and pepper keys, the newest first; else a random one in `data_dir`.",
    )
    pepper: tuple[Secret, ...] | Secret = Field(
        (),
        description="Secrets that pepper the verifiers of keys, the newest first; else derived from `encryption_key`.",
    )
    cached_keys_seconds: float = Field(
        60, ge=0, le=3600, description="Seconds for which known keys work on while the database is away."
    )
    apply_user_budget_to_team_keys: Annotated[bool, FromLitellm("general_settings.apply_user_budget_to_team_keys")] = (
        Field(False, description="Whether a user's limits also hold for the user's keys of a team.")
    )
    require_key_mcp_access_defined: Annotated[bool, FromLitellm("general_settings.require_key_mcp_access_defined")] = (
        Field(False, description="Whether a caller without `object_permission` for MCP may use no MCP server at all.")
    )

    # What new teams and users get.
    default_team_params: Annotated[TeamDefaults | None, FromLitellm("litellm_settings.default_team_params")] = Field(
        None, description="What a new team gets for each field that its request leaves out."
    )
    default_internal_user_params: Annotated[
        UserDefaults | None, FromLitellm("litellm_settings.default_internal_user_params")
    ] = Field(None, description="What a new user gets for each field that its request leaves out.")
    max_internal_user_budget: Annotated[Dollars | None, FromLitellm("litellm_settings.max_internal_user_budget")] = (
        Field(None, description="US dollars that a new `internal_user` without a budget of its own may cost.")
    )
    default_max_internal_user_budget: Annotated[
        Dollars | None, FromLitellm("litellm_settings.default_max_internal_user_budget")
    ] = Field(None, description="The same, for a file without `max_internal_user_budget`.")
    internal_user_budget_duration: Annotated[
        Duration | None, FromLitellm("litellm_settings.internal_user_budget_duration")
    ] = Field(None, description="The window of that budget, such as `30d`.")

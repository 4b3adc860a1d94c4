"""What can be configured: this plugin's own block, and the keys of LiteLLM's sections that it implements.

Parsing policies and checking limits belong to `quotas`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from routeiq_sdk import FromLitellm, PluginConfig, Secret


class GovernanceConfig(PluginConfig):
    """Governance. Without a line of YAML: an embedded SQLite file, strict admission, no policies."""

    database_url: Annotated[Secret | None, FromLitellm("general_settings.database_url")] = Field(
        None, description="Where keys, users and spend are kept: a PostgreSQL address; else an embedded SQLite file."
    )
    policies: tuple[dict[str, Any], ...] = Field(
        (), description="Quotas: scope, limit, unit, window, zone and what else a policy may say."
    )
    admission: Literal["strict", "adaptive", "post-pay"] = Field(
        "strict",
        description="What is held before a call: its worst case (no overspend), the learned estimate, or nothing.",
    )

"""The settings of quotas: this plugin's own, and limits that are written in LiteLLM's sections.

What they do is in `binding` and `gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from routeiq_governance.defaults import Count, Duration
from routeiq_sdk import FromLitellm, PluginConfig

Usd = Annotated[Decimal, Field(ge=0, le=9_000_000_000, allow_inf_nan=False)]


class TagBudget(BaseModel):
    """A row of `litellm_settings.tag_budget_config`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_budget: Usd = Field(description="US dollars each window.")
    budget_duration: Duration = Field(description="The window, such as `1d`.")


class QuotaSettings(PluginConfig):
    """How much everybody may use, and how it is held."""

    policies: tuple[Mapping[str, Any], ...] = Field(
        (), description="Quotas: scope, limit, unit, window, zone and what else a policy may say."
    )
    admission: Literal["strict", "adaptive", "post-pay"] = Field(
        "strict",
        description="What is held before a call: its worst case (no overspend), the learned estimate, or nothing.",
    )
    unpriced: Literal["deny", "free"] = Field(
        "deny", description="Calls of models without a price while a budget holds: refused, or taken to cost nothing."
    )
    stream_slice: int = Field(
        256, ge=16, le=1_000_000, description="Output tokens that a stream holds at first, and again each time."
    )
    max_budget: Annotated[Usd | None, FromLitellm("litellm_settings.max_budget")] = Field(
        None, description="US dollars that all calls together may cost."
    )
    budget_duration: Annotated[Duration | None, FromLitellm("litellm_settings.budget_duration")] = Field(
        None, description="The window of that budget; absent: for ever."
    )
    max_end_user_budget: Annotated[Usd | None, FromLitellm("litellm_settings.max_end_user_budget")] = Field(
        None, description="US dollars that each end user without a budget of its own may cost."
    )
    tag_budget_config: Annotated[Mapping[str, TagBudget], FromLitellm("litellm_settings.tag_budget_config")] = Field(
        default_factory=dict, description="US dollars by tag."
    )
    budget_exceeded_status_code: Annotated[int | None, FromLitellm("litellm_settings.budget_exceeded_status_code")] = (
        Field(None, ge=400, le=499, description="The status of an exhausted budget.")
    )
    max_parallel_requests: Annotated[Count | None, FromLitellm("general_settings.max_parallel_requests")] = Field(
        None, description="Calls at once of each key without a limit of its own."
    )
    global_max_parallel_requests: Annotated[
        Count | None, FromLitellm("general_settings.global_max_parallel_requests")
    ] = Field(None, description="Calls at once of all keys together.")

"""The settings of quotas: this plugin's own, and limits that are written in LiteLLM's sections.

What they do is in `binding` and `gate`; the keys that nobody here enforces are in `unenforced`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from routeiq_governance.defaults import Count, Duration
from routeiq_governance.quotas.unenforced import UnenforcedKeys
from routeiq_sdk import FromLitellm

Usd = Annotated[Decimal, Field(ge=0, le=9_000_000_000, allow_inf_nan=False)]


class TagBudget(BaseModel):
    """A row of `litellm_settings.tag_budget_config`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_budget: Usd = Field(description="US dollars each window.")
    budget_duration: Duration = Field(description="The window, such as `1d`.")


class QuotaSettings(UnenforcedKeys):
    """How much everybody may use, and how it is held."""

    policies: tuple[Mapping[str, Any], ...] = Field(
        (), description="Quotas: scope, limit, unit, window, zone and what else a policy may say."
    )
    admission: Literal["strict", "adaptive", "post-pay"] = Field(
        "strict",
        description="What is held before a call: its worst case (no overspend), the learned estimate, or nothing.",
    )
    unpriced: Literal["deny", "free"] | Usd = Field(
        "deny",
        description="Calls of models without a price while a budget holds: refused, free, or so many US dollars each.",
    )
    prompt_bound: Literal["text", "bytes"] = Field(
        "text",
        description="How strict admission counts a prompt: bounded as text is written, or one token a byte for any.",
    )
    unknown_output_tokens: int = Field(
        16_384,
        ge=1,
        le=10_000_000,
        description="Longest answer of a model where neither the client nor the model's facts say.",
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
    max_user_budget: Annotated[Usd | None, FromLitellm("litellm_settings.max_user_budget")] = Field(
        None, description="US dollars that each user without a budget of its own may cost."
    )
    max_end_user_budget: Annotated[Usd | None, FromLitellm("litellm_settings.max_end_user_budget")] = Field(
        None, description="US dollars that each end user without a budget of its own may cost."
    )
    max_end_user_budget_id: Annotated[str | None, FromLitellm("litellm_settings.max_end_user_budget_id")] = Field(
        None, description="The budget that end users without limits of their own get."
    )
    default_soft_budget: Annotated[Usd | None, FromLitellm("litellm_settings.default_soft_budget")] = Field(
        None, description="US dollars after which an event tells of a key without a soft budget of its own."
    )
    tag_budget_config: Annotated[Mapping[str, TagBudget], FromLitellm("litellm_settings.tag_budget_config")] = Field(
        default_factory=dict, description="US dollars by tag."
    )
    provider_budget_config: Annotated[Mapping[str, Any], FromLitellm("router_settings.provider_budget_config")] = Field(
        default_factory=dict, description="Budgets of providers, which routing keeps; shown beside their spend."
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
    fail_closed_rate_limit_enforcement: Annotated[
        bool, FromLitellm("general_settings.fail_closed_rate_limit_enforcement")
    ] = Field(
        False,
        description="Whether rate limits refuse while the store is away; else each process passes a part of them.",
    )
    fail_closed_budget_enforcement: Annotated[bool, FromLitellm("general_settings.fail_closed_budget_enforcement")] = (
        Field(True, description="Accepted: money is always refused while the store is away.")
    )
    fallback_budget_check: Annotated[bool, FromLitellm("router_settings.fallback_budget_check")] = Field(
        True, description="Accepted: a fallback always has to fit the budget."
    )

"""The rows of `guardrails:` that this guard serves, and their options."""

from __future__ import annotations

from routeiq_sdk.guards import GuardConfig, RailOptions


class Options(RailOptions):
    """`litellm_params` of a row."""


class Config(GuardConfig[Options]):
    """The guard's rows."""

    kinds = frozenset({"guard-injection", "detect_prompt_injection", "lakera_prompt_injection"})

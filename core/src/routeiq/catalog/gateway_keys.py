"""Which keys of `litellm_params` speak to the gateway, so that no provider gets them as fields of a request.

What the keys do is decided where they are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

GATEWAY = (
    "*_cost_per_*",
    "*_token_cost*",
    "adaptive_router_*",
    "allow_client_keepalive_override",
    "allowed_openai_params",
    "auto_router_*",
    "base_url",
    "budget_duration",
    "cache",
    "caching",
    "complexity_router_*",
    "configurable_clientside_auth_params",
    "context_window_fallback_dict",
    "default_api_key_*",
    "fallbacks",
    "guardrails",
    "itpm",
    "keepalive_seconds",
    "max_budget",
    "max_file_size_mb",
    "max_parallel_requests",
    "max_retries",
    "mock_*",
    "model_list",
    "num_retries",
    "otpm",
    "provider_affinity_header",
    "quality_router_*",
    "retry_policy",
    "rpd",
    "silent_model",
    "stream_timeout_by_service_tier",
    "tag_regex",
    "timeout_by_service_tier",
    "tpd",
    "use_in_pass_through",
    "use_litellm_proxy",
)
"""The gateway acts on these itself, or on nothing. In a call of litellm they would reroute, repeat, mock or price
it."""

PROVIDER_SDK = (
    "additional_drop_params",
    "anthropic_*",
    "aws_*",
    "azure_*",
    "cache_control_injection_points",
    "client_id",
    "client_secret",
    "litellm_trace_id",
    "merge_reasoning_content_in_choices",
    "openai_*",
    "region_name",
    "tenant_id",
    "use_*",
    "vertex_*",
    "watsonx_*",
)
"""Settings of litellm and of providers' own libraries: right for a call of litellm, unknown to a native wire."""


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a key is one of these."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)

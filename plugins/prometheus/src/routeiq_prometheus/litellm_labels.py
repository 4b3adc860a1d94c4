"""Names and labels of LiteLLM's metrics (1.110): facts, so that dashboards made for LiteLLM keep working.

Which rows they are summed from is written in `litellm_metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping

from routeiq_prometheus.config import PrometheusConfig

_KEY = ("hashed_api_key", "api_key_alias")
_TEAM = ("team", "team_alias")
_ORG = ("org_id", "org_alias")
_CLIENT = ("client_ip", "user_agent")
_PLACE = ("model_id", "api_base", "api_provider")
_LATENCY = ("end_user", *_KEY, "requested_model", *_TEAM, "user", "model", "model_id", "api_provider")
_PROXY = ("end_user", *_KEY, "requested_model", *_TEAM, "user")
_USED = ("end_user", *_KEY, "model", *_TEAM, "user", "user_email", "requested_model", "model_id", "api_provider")
_DEPLOYMENT = ("model_group", "requested_model", "litellm_model_name", *_PLACE)
_CACHE = ("model", *_KEY, *_TEAM, "end_user", "user", "model_id", "api_provider")
_FALLBACK = ("requested_model", "fallback_model", *_KEY, *_TEAM, "exception_status", "exception_class", "model_id")
_TOOL = ("mcp_tool_name", "mcp_server_name", *_KEY, *_TEAM, "user", "end_user")

_OF_BUDGETS = (
    "litellm_remaining_{}_budget_metric",
    "litellm_{}_max_budget_metric",
    "litellm_{}_budget_remaining_hours_metric",
)
BUDGETS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    scope: tuple((name.format(word), labels) for name in _OF_BUDGETS)
    for scope, word, labels in (
        ("key", "api_key", _KEY),
        ("team", "team", _TEAM),
        ("organization", "org", _ORG),
        ("user", "user", ("user",)),
        ("customer", "customer", ("end_user",)),
    )
}
"""By scope: what is left, what there is in all, and the hours until it starts anew; each with its labels."""

LABELS: Mapping[str, tuple[str, ...]] = {
    "litellm_proxy_total_requests_metric": (
        *(*_PROXY, "status_code", "user_email", "route", *_CLIENT, "model_id", "api_provider"),
    ),
    "litellm_proxy_failed_requests_metric": (
        *(*_PROXY, "user_email", "exception_status", "exception_class", "route", *_CLIENT, "model_id", "api_provider"),
    ),
    "litellm_requests_metric": (*_USED, *_CLIENT),
    "litellm_llm_api_failed_requests_metric": ("end_user", *_KEY, "model", *_TEAM, "user", "model_id"),
    "litellm_request_total_latency_metric": (*_LATENCY, "model_group", "service_tier"),
    "litellm_llm_api_latency_metric": (*_LATENCY, "model_group", "service_tier"),
    "litellm_llm_api_time_to_first_token_metric": (*_LATENCY, "model_group", "service_tier"),
    "litellm_overhead_latency_metric": ("model_group", "litellm_model_name", *_PLACE, *_KEY),
    "litellm_spend_metric": (*_USED, *_CLIENT, "service_tier"),
    "litellm_total_tokens_metric": _USED,
    "litellm_input_tokens_metric": _USED,
    "litellm_output_tokens_metric": _USED,
    "litellm_input_cached_tokens_metric": _USED,
    "litellm_input_cache_creation_tokens_metric": _USED,
    "litellm_output_reasoning_tokens_metric": _USED,
    "litellm_provider_cache_read_input_tokens_metric": _CACHE,
    "litellm_provider_cache_creation_input_tokens_metric": _CACHE,
    "litellm_deployment_state": ("litellm_model_name", *_PLACE),
    "litellm_deployment_cooled_down": ("litellm_model_name", *_PLACE, "exception_status"),
    "litellm_deployment_rpm_limit": ("model_group", "litellm_model_name", *_PLACE),
    "litellm_deployment_tpm_limit": ("model_group", "litellm_model_name", *_PLACE),
    "litellm_deployment_total_requests": (*_DEPLOYMENT, *_KEY, *_TEAM, *_CLIENT),
    "litellm_deployment_success_responses": (*_DEPLOYMENT, *_KEY, *_TEAM, *_CLIENT),
    "litellm_deployment_failure_responses": (
        *(*_DEPLOYMENT, "exception_status", "exception_class", *_KEY, *_TEAM, *_CLIENT),
    ),
    "litellm_deployment_latency_per_output_token": ("model_group", "litellm_model_name", *_PLACE, *_KEY, *_TEAM),
    "litellm_deployment_successful_fallbacks": _FALLBACK,
    "litellm_deployment_failed_fallbacks": _FALLBACK,
    "litellm_callback_logging_failures_metric": ("callback_name",),
    "litellm_mcp_tool_calls_total": _TOOL,
    "litellm_mcp_tool_call_spend_metric": _TOOL,
    "litellm_in_flight_requests": (),
    **{name: labels for scope in BUDGETS.values() for name, labels in scope},
}
"""Each metric under LiteLLM's name; the scraped name of a counter ends in `_total`."""

_WITH_ORGANIZATION = frozenset(
    {
        "litellm_proxy_total_requests_metric",
        "litellm_proxy_failed_requests_metric",
        "litellm_requests_metric",
        "litellm_request_total_latency_metric",
        "litellm_llm_api_latency_metric",
        "litellm_llm_api_time_to_first_token_metric",
        "litellm_spend_metric",
        "litellm_total_tokens_metric",
        "litellm_input_tokens_metric",
        "litellm_output_tokens_metric",
        "litellm_deployment_latency_per_output_token",
    }
)
_CALLER_IDENTITY = frozenset(
    {
        "litellm_deployment_total_requests",
        "litellm_deployment_success_responses",
        "litellm_deployment_failure_responses",
        "litellm_deployment_latency_per_output_token",
        "litellm_request_total_latency_metric",
        "litellm_llm_api_latency_metric",
        "litellm_llm_api_time_to_first_token_metric",
        "litellm_overhead_latency_metric",
    }
)
_WITHOUT_CUSTOM = frozenset(
    {
        "litellm_callback_logging_failures_metric",
        "litellm_in_flight_requests",
        "litellm_mcp_tool_calls_total",
        "litellm_mcp_tool_call_spend_metric",
    }
)
_BUDGET_NAMES = frozenset(name for scope in BUDGETS.values() for name, _ in scope)
_OF_PLACES = frozenset(name for name in LABELS if name.endswith(("_state", "_cooled_down", "_limit")))


def labels_of(name: str, config: PrometheusConfig, custom: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of a metric under this configuration."""
    labels = list(LABELS[name])
    if name in _CALLER_IDENTITY:
        at = labels.index("api_key_alias")
        if config.caller_identity == "user_email":
            labels[at] = "user_email"
        elif config.caller_identity == "both":
            labels.insert(at + 1, "user_email")
    if name not in _WITHOUT_CUSTOM | _OF_PLACES | _BUDGET_NAMES:
        labels += custom
    if name in _WITH_ORGANIZATION:
        labels += _ORG
    if name == "litellm_proxy_total_requests_metric" and config.stream_label:
        labels.append("stream")
    kept = {
        label for group in config.metrics_config if name in group.metrics for label in group.include_labels or labels
    }
    return tuple(label for label in labels if label not in config.exclude_labels and (not kept or label in kept))


def is_shown(name: str, config: PrometheusConfig) -> bool:
    """Whether the configuration wants a metric."""
    wanted = {metric for group in config.metrics_config for metric in group.metrics}
    return name not in config.exclude_metrics and (not wanted or name in wanted)

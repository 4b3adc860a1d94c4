"""Which fields of a client's body never leave for a provider, and how a deployment's own fields are laid over the rest.

Wire-specific rules stay with their codec.
"""

from __future__ import annotations

from routeiq.wires.body import Raw, as_raw
from routeiq_sdk import Attempt, Deployment

CLIENT_ONLY = frozenset(
    {
        "cache",
        "fallbacks",
        "guardrails",
        "litellm_metadata",
        "litellm_session_id",
        "litellm_trace_id",
        "mock_response",
        "mock_testing_content_policy_fallbacks",
        "mock_testing_context_fallbacks",
        "mock_testing_fallbacks",
        "mock_testing_rate_limit_error",
        "mock_timeout",
        "num_retries",
        "routeiq",
        "router_settings_override",
        "stream_timeout",
        "tags",
        "timeout",
    }
)
"""Fields that speak to the gateway."""

REFUSED = frozenset({"api_base", "api_key", "base_url", "custom_llm_provider", "extra_headers", "aws_access_key_id"})
"""Fields by which a client could send a provider's key elsewhere. They are refused, not dropped."""


def overlay(fields: dict[str, Raw], deployment: Deployment, attempt: Attempt) -> None:
    """Defaults of the deployment under the client's fields, `extra_body` and the attempt's own fields over them."""
    for name, value in deployment.params.items():
        if name == "extra_body":
            if isinstance(value, dict):
                fields.update({key: as_raw(item) for key, item in value.items()})
        elif name not in fields:
            fields[name] = as_raw(value)
    for name, value in attempt.params.items():
        fields[name] = as_raw(value)
    fields["model"] = as_raw(deployment.model)

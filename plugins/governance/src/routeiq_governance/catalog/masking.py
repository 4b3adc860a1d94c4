"""Parameters as answers show them: what is known to be harmless in clear, every other text masked.

A list of what is secret would miss the next provider's name for its key; this is a list of what is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from routeiq_sdk import Secret

_TAIL = 4
_LONG = 16
_CLEAR = frozenset(
    {
        "model",
        "api_version",
        "organization",
        "custom_llm_provider",
        "region_name",
        "aws_region_name",
        "vertex_project",
        "vertex_location",
        "litellm_credential_name",
        "mock_response",
        "reasoning_effort",
        "budget_duration",
        "tags",
        "tag_regex",
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
    }
)


def masked(text: str) -> str:
    """A secret as it is shown: its tail, if it is long."""
    return f"****{text[-_TAIL:]}" if len(text) >= _LONG else "****"


def shown_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a row, secrets masked."""
    return {name: _shown(name, value) for name, value in params.items()}


def unmasked(told: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """What a client sends back: where it is the mask of what is kept, the kept value."""
    return {
        name: kept[name] if name in kept and value == _shown(name, kept[name]) else value
        for name, value in told.items()
    }


def address(url: str) -> str:
    """An address without user, query and fragment, where keys may hide."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, Secret):
        return masked(value.reveal())
    if value is None or isinstance(value, bool | int | float) or name in _CLEAR:
        return value
    if name in ("api_base", "base_url") and isinstance(value, str):
        return address(value)
    if isinstance(value, Mapping):
        return {key: _shown("", item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown("", item) for item in value]
    return masked(str(value))

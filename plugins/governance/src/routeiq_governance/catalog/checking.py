"""What an added row may say, beyond what the gateway itself checks of any row.

Rows come from callers, not from the operator: they name no variables of the gateway's environment, bring their own key
to an address of their own, and those of a team stay within what a team may decide.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from routeiq_sdk import RequestError

_REFERENCES = ("os.environ/", "oidc/", "secret/")
_ADDRESSES = ("api_base", "base_url")
_KEYS = ("api_key", "mock_response", "litellm_credential_name")
_MOST_DEPTH = 20

_OF_TEAMS = frozenset(
    {
        "model",
        "api_key",
        "api_base",
        "api_version",
        "organization",
        "custom_llm_provider",
        "timeout",
        "stream_timeout",
        "max_retries",
        "num_retries",
        "rpm",
        "tpm",
        "weight",
        "order",
        "drop_params",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "reasoning_effort",
        "mock_response",
    }
)
"""Parameters that whoever runs a team may set on its rows. The others reach for credentials, files or addresses of the
gateway's own, or say what a call costs."""
_PROVIDERS = frozenset(
    {
        "anthropic",
        "azure",
        "azure_ai",
        "cerebras",
        "cohere",
        "cohere_chat",
        "deepinfra",
        "deepseek",
        "fireworks_ai",
        "gemini",
        "groq",
        "hosted_vllm",
        "mistral",
        "nvidia_nim",
        "openai",
        "openai_like",
        "openrouter",
        "perplexity",
        "sambanova",
        "together_ai",
        "xai",
    }
)
"""Providers that know their caller by `api_key` alone. Others would take the gateway's own identity in its cloud."""
_OF_GATEWAY = ("*cost*", "access_groups", "team_id", "blocked", "base_model", "tier")
"""Keys of `model_info` that whoever runs a team may not set."""
_SERVER_SIDE = ("db_model", "created_at", "created_by", "updated_at", "updated_by", "key", "litellm_provider")
"""What answers show and clients send back: never kept."""


def wrong(name: str, message: str) -> RequestError:
    """The error of a field."""
    return RequestError(400, f"{name}: {message}", param=name, code="400")


def params_of(written: Mapping[str, Any]) -> dict[str, Any]:
    """`litellm_params` without what is null. Raises `RequestError(400)`."""
    found = {name: value for name, value in written.items() if value is not None}
    model = found.get("model")
    if not isinstance(model, str) or not model.strip():
        raise wrong("litellm_params.model", "expected provider/model")
    for name, value in found.items():
        _refuse_references(f"litellm_params.{name}", value, 0)
    told = [name for name in _ADDRESSES if name in found]
    if told and not any(found.get(name) is not None for name in _KEYS):
        raise wrong(
            "litellm_params.api_key",
            f"a row with an {told[0]} of its own brings its own api_key, so that no key of the gateway is sent there; "
            "write any text for a server that asks for none",
        )
    return found


def info_of(written: Mapping[str, Any]) -> dict[str, Any]:
    """`model_info` without what is null and what only answers show."""
    found = {name: value for name, value in written.items() if value is not None and name not in _SERVER_SIDE}
    for name, value in found.items():
        _refuse_references(f"model_info.{name}", value, 0)
    return {name: value for name, value in found.items() if name not in ("id", "team_id", "blocked")}


def secrets_of(written: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a credential without what is null. Raises `RequestError(400)`."""
    found = {name: value for name, value in written.items() if value is not None}
    for name, value in found.items():
        if name in ("model", "litellm_credential_name"):
            raise wrong(f"credential_values.{name}", "belongs to a model, not to a credential")
        _refuse_references(f"credential_values.{name}", value, 0)
    return found


def refuse_moved_key(told: Mapping[str, Any], params: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse a new address that would get the key the row has already: whoever moves a row has to know its key.

    `told` is the patch as it was sent, where a key that was only shown is a mask. Raises `RequestError(400)`.
    """
    moved = [name for name in (*_ADDRESSES, "model", "custom_llm_provider") if params.get(name) != before.get(name)]
    moved = [name for name in moved if name in _ADDRESSES or _provider(params) != _provider(before)]
    named = params.get("litellm_credential_name")
    sent, kept = (str(each.get("api_key")).encode() for each in (told, params))
    known = told.get("api_key") is not None and hmac.compare_digest(sent, kept)
    other = named is not None and told.get("litellm_credential_name") == named and params.get("api_key") is None
    if moved and (params.get("api_key") or named) and not (known or other):
        raise wrong(
            "litellm_params.api_key",
            f"with a new {moved[0]} send the api_key again: the one this row has is not sent to another address",
        )


def _provider(params: Mapping[str, Any]) -> Any:
    prefix, slash, _ = str(params.get("model")).partition("/")
    return params.get("custom_llm_provider") or (prefix if slash else "openai")


def refuse_beyond_team(params: Mapping[str, Any], info: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse what only an admin of the gateway may set on a team's row; what it has already (`before`) may stay.

    Raises `RequestError(403)`.
    """
    for name, value in params.items():
        if name not in _OF_TEAMS and before.get(name) != value:
            raise _admins_alone(f"litellm_params.{name}")
    if not any(params.get(name) for name in ("api_key", "mock_response")) and not params.get("litellm_credential_name"):
        raise wrong("litellm_params.api_key", "a team's model brings its own api_key")
    provider = params.get("custom_llm_provider") or str(params["model"]).partition("/")[0]
    if provider not in _PROVIDERS and provider != str(before.get("model")).partition("/")[0]:
        message = f"a team's model is one of a provider that takes an api_key: {', '.join(sorted(_PROVIDERS))}"
        raise wrong("litellm_params.model", message)
    kept = before.get("model_info", {})
    for name, value in info.items():
        if any(fnmatchcase(name, pattern) for pattern in _OF_GATEWAY) and kept.get(name) != value:
            raise _admins_alone(f"model_info.{name}")


def _admins_alone(field: str) -> RequestError:
    message = f"You may not set {field!r} on a team's model: ask an admin of the gateway."
    return RequestError(403, message, type="auth_error", param=field, code="403")


def _refuse_references(name: str, value: Any, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise wrong(name, "is nested too deeply")
    if isinstance(value, str) and value.startswith(_REFERENCES):
        raise wrong(name, "a reference is for the YAML alone; write the value, or name a credential")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_references(f"{name}.{key}", item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_references(name, item, depth + 1)

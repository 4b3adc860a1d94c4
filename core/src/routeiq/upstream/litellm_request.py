"""From a client's body to the arguments of a litellm call.

litellm takes its own settings (addresses, keys, accounts, mocks) and a request's fields in one bag of arguments. So a
client's fields are let in by name, and only the operator's reach the rest. Nothing is called here.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

from routeiq.catalog.gateway_keys import GATEWAY, matches
from routeiq.upstream.base import Limits
from routeiq.upstream.fields import CLIENT_ONLY
from routeiq.wires import anthropic_requests, completions
from routeiq.wires.body import Body
from routeiq_sdk import Attempt, Deployment, RequestError, Secret

EMBEDDING = "openai-embedding"
WIRES = frozenset({"openai-chat", "openai-completion", EMBEDDING, "anthropic-messages"})

_EMBEDDING_FIELDS = frozenset({"dimensions", "encoding_format", "input", "input_type", "user"})
_CHAT_FIELDS = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "include_reasoning",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "min_p",
        "modalities",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "reasoning_effort",
        "repetition_penalty",
        "response_format",
        "safety_identifier",
        "safety_settings",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_a",
        "top_k",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
# They say something to gateways; a provider would refuse them.
_DROPPED = frozenset({"metadata", "model"})


def accepts(client_wire: str) -> bool:
    """Whether a client of this wire can be served; counting tokens is not a call of a provider."""
    return client_wire in WIRES


def arguments(deployment: Deployment, attempt: Attempt, body: Body, limits: Limits) -> dict[str, Any]:
    """The call, with keys revealed. Raises `RequestError` when the body cannot be said."""
    if "://" in deployment.model:
        raise RequestError(400, "model: a model is named, its address is api_base's", param="model")
    call = {name: revealed(value) for name, value in deployment.params.items() if not matches(name, GATEWAY)}
    call |= _fields(deployment, body)
    call |= attempt.params
    call["model"] = f"{deployment.provider}/{deployment.model}"
    for name, value in (
        ("api_base", deployment.api_base),
        ("api_key", revealed(deployment.api_key)),
        ("api_version", deployment.info.get("api_version")),
        ("organization", deployment.info.get("organization")),
        ("drop_params", deployment.info.get("drop_params")),
        ("extra_headers", dict(attempt.headers)),
    ):
        if value:
            call[name] = value
    if body.stream and body.wire != EMBEDDING:
        options = call.get("stream_options")
        call["stream"] = True
        call["stream_options"] = {**(options if isinstance(options, Mapping) else {}), "include_usage": True}
    if call.get("tools"):
        call["_skip_mcp_handler"] = True  # else litellm imports its own proxy, and calls servers that tools name
    # The adapter's own deadlines come first. Whole numbers, since litellm keeps a client for each value it has seen.
    call["timeout"] = float(math.ceil(max(limits.answer, limits.idle)) + 1)
    call["max_retries"] = call["num_retries"] = 0
    return call


def revealed(value: Any) -> Any:
    """`value` with each `Secret` in it in plain text."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: revealed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [revealed(item) for item in value]
    return value


def _fields(deployment: Deployment, body: Body) -> dict[str, Any]:
    sent = copy.deepcopy({name: value for name, value in body.json().items() if name not in CLIENT_ONLY})
    if body.wire == "openai-completion":
        sent = completions.to_chat(sent)
    elif body.wire == "anthropic-messages":
        sent = anthropic_requests.to_chat(sent)
    allowed = _EMBEDDING_FIELDS if body.wire == EMBEDDING else _CHAT_FIELDS
    opened = deployment.params.get("allowed_openai_params") or ()
    fields: dict[str, Any] = {}
    for name, value in sent.items():
        if name in allowed or name in opened:
            if value is not None:
                fields[name] = value
        elif name not in _DROPPED and not deployment.info.get("drop_params"):
            raise RequestError(
                400,
                f"{name}: this field has no equivalent for {deployment.provider}; "
                "`drop_params` drops such fields, `allowed_openai_params` lets one through",
                param=name,
            )
    return fields

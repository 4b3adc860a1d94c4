"""Requests: an Anthropic message request to a canonical chat request and back, parameter by parameter.

Conversations, tools and thinking have modules of their own; answers are not here.
"""

from __future__ import annotations

from typing import Any

from routeiq.wires import anthropic_thinking, anthropic_tools, anthropic_turns
from routeiq.wires.reading import (
    Untranslatable,
    as_bool,
    as_count,
    as_list,
    as_number,
    as_object,
    as_text,
)

DEFAULT_MAX_TOKENS = 4096
"""Anthropic demands a limit. This one is for chat requests that have none; a thinking budget comes on top."""

HOTTEST = 1.0
"""Anthropic's highest temperature. Chat JSON goes to 2; what is above is brought down to this."""

JSON_OBJECT_WISH = "Answer with a single JSON object and nothing else."
"""How `response_format: json_object` is said: Anthropic has a mode for a schema, but none for JSON of any shape."""


def to_chat(request: dict[str, Any]) -> dict[str, Any]:
    """A canonical chat request for an Anthropic one. Raises `Untranslatable`.

    Beyond OpenAI's own words it may hold `top_k`, `cache_control`, `thinking_blocks`, `reasoning_content` and
    `is_error`; `extensions.without_extensions` takes them off for a server that refuses what it does not know.
    """
    for name in ("container", "mcp_servers"):
        if as_object(request, "body").get(name):
            raise Untranslatable(name, "this has no equivalent on the chat wire")
    chat: dict[str, Any] = {}
    if "model" in request:
        chat["model"] = as_text(request["model"], "model")
    chat["messages"] = anthropic_turns.to_chat(request.get("system"), request.get("messages"))
    if (limit := request.get("max_tokens")) is not None:
        chat["max_tokens"] = as_count(limit, "max_tokens")
    for name in ("temperature", "top_p", "top_k"):
        if request.get(name) is not None:
            chat[name] = as_number(request[name], name)
    if stops := _stops(request.get("stop_sequences"), "stop_sequences"):
        chat["stop"] = stops
    if request.get("stream") is not None and as_bool(request["stream"], "stream"):
        chat["stream"] = True
        # Anthropic's streams always end with their usage.
        chat["stream_options"] = {"include_usage": True}
    if request.get("tools"):
        chat["tools"] = anthropic_tools.tools_to_chat(request["tools"])
    if request.get("tool_choice") is not None:
        chat |= anthropic_tools.choice_to_chat(request["tool_choice"])
    effort = anthropic_thinking.effort_of(request.get("thinking"), request.get("output_config"))
    if effort is not None:
        chat["reasoning_effort"] = effort
    if request.get("output_config") is not None:
        chat |= _format_to_chat(as_object(request["output_config"], "output_config").get("format"))
    if request.get("metadata") is not None:
        user = as_object(request["metadata"], "metadata").get("user_id")
        if user is not None:
            chat["user"] = as_text(user, "metadata.user_id")
    return chat


def from_chat(request: dict[str, Any], *, adaptive_thinking: bool = False) -> dict[str, Any]:
    """An Anthropic request for a canonical chat one. Raises `Untranslatable`.

    `adaptive_thinking` is for models that take no thinking budget. Fields that change what the client gets and have
    no equivalent raise (several choices, log probabilities, audio, web search, functions); hints that have none are
    left out (`seed`, penalties, `logit_bias`, `verbosity`, cache keys, service tiers, ...).
    """
    _refuse_what_cannot_be_said(request)
    system, turns = anthropic_turns.from_chat(request.get("messages"))
    body: dict[str, Any] = {}
    if "model" in request:
        body["model"] = as_text(request["model"], "model")
    limit = _limit(request)
    body["max_tokens"] = DEFAULT_MAX_TOKENS if limit is None else limit
    body["messages"] = turns
    for name in ("temperature", "top_p", "top_k"):
        if request.get(name) is not None:
            body[name] = as_number(request[name], name)
    if "temperature" in body:
        body["temperature"] = min(body["temperature"], HOTTEST)
    if stops := _stops(request.get("stop"), "stop"):
        if not all(stop.strip() for stop in stops):
            raise Untranslatable("stop", "a stop sequence of white space alone has no equivalent")
        body["stop_sequences"] = stops
    if request.get("stream") is not None:
        body["stream"] = as_bool(request["stream"], "stream")
    if request.get("tools"):
        body["tools"] = anthropic_tools.tools_from_chat(request["tools"])
        choice = anthropic_tools.choice_from_chat(request.get("tool_choice"), request.get("parallel_tool_calls"))
        if choice is not None:
            body["tool_choice"] = choice
    user = request.get("user") or request.get("safety_identifier")
    if user is not None:
        body["metadata"] = {"user_id": as_text(user, "user")}
    if request.get("response_format") is not None:
        _add_format(body, system, as_object(request["response_format"], "response_format"))
    if system:
        body["system"] = system
    _add_thinking(body, request, limit, adaptive_thinking)
    return body


def _refuse_what_cannot_be_said(request: dict[str, Any]) -> None:
    if as_object(request, "body").get("n") not in (None, 1):
        raise Untranslatable("n", "only one choice has an equivalent on the Anthropic wire")
    if request.get("modalities") not in (None, ["text"]):
        raise Untranslatable("modalities", "only text has an equivalent on the Anthropic wire")
    for name in ("logprobs", "top_logprobs", "audio", "web_search_options", "functions", "function_call"):
        if request.get(name) not in (None, False, 0, []):
            raise Untranslatable(name, "this has no equivalent on the Anthropic wire")


def _limit(request: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        if request.get(name) is not None:
            return as_count(request[name], name)
    return None


def _stops(value: object, param: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    return [as_text(stop, f"{param}.{place}") for place, stop in enumerate(as_list(value, param))]


def _format_to_chat(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    wanted = as_object(value, "output_config.format")
    if wanted.get("type") != "json_schema":
        raise Untranslatable("output_config.format.type", "only json_schema has an equivalent on the chat wire")
    schema = as_object(wanted.get("schema"), "output_config.format.schema")
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        }
    }


def _add_format(body: dict[str, Any], system: list[dict[str, Any]], wanted: dict[str, Any]) -> None:
    kind = wanted.get("type")
    if kind == "json_schema":
        named = as_object(wanted.get("json_schema"), "response_format.json_schema")
        schema = as_object(named.get("schema"), "response_format.json_schema.schema")
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    elif kind == "json_object":
        system.append({"type": "text", "text": JSON_OBJECT_WISH})
    elif kind != "text":
        raise Untranslatable("response_format.type", "one of json_object, json_schema, text is expected")


def _add_thinking(body: dict[str, Any], request: dict[str, Any], limit: int | None, adaptive: bool) -> None:
    """An explicit `thinking` object goes through as it is. An effort is a hint, and yields where Anthropic forbids it:
    under a forced tool choice, in an answer the client began itself, and, with a budget, after tool calls whose
    thinking the client did not send back.
    """
    if request.get("thinking") is not None:
        body["thinking"] = thinking = as_object(request["thinking"], "thinking")
        if limit is None and thinking.get("budget_tokens") is not None:
            body["max_tokens"] += as_count(thinking["budget_tokens"], "thinking.budget_tokens")
        return
    if request.get("reasoning_effort") is None:
        return
    effort = as_text(request["reasoning_effort"], "reasoning_effort")
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
        return
    if adaptive:
        fields = anthropic_thinking.adaptive_fields(effort)
        body["output_config"] = body.get("output_config", {}) | fields["output_config"]
        if _forbids_thinking(body):
            return
        body["thinking"] = fields["thinking"]
    else:
        budget = anthropic_thinking.budget_for(effort, limit)
        if budget is None or _forbids_thinking(body) or _thinking_was_lost(body["messages"]):
            return
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
        if limit is None:
            body["max_tokens"] += budget
    # A model that thinks takes no sampling parameters.
    for name in ("temperature", "top_p", "top_k"):
        body.pop(name, None)


def _forbids_thinking(body: dict[str, Any]) -> bool:
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    return forced or body["messages"][-1]["role"] == "assistant"


def _thinking_was_lost(turns: list[dict[str, Any]]) -> bool:
    """True when the last assistant turn called tools without thinking in front: a budget would then be refused."""
    for turn in reversed(turns):
        if turn["role"] == "assistant":
            blocks = turn["content"]
            calls = any(block["type"] == "tool_use" for block in blocks)
            return calls and not anthropic_thinking.is_thinking(blocks[0])
    return False

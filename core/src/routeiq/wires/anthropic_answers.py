"""Answers: a whole Anthropic message to a chat completion and back, with the reasons why a model stopped.

Streams of the same are in `anthropic_streams`.
"""

from __future__ import annotations

import time
from typing import Any

from routeiq.wires import anthropic_thinking, anthropic_tools, usage
from routeiq.wires.reading import Untranslatable, as_list, as_object, as_text
from routeiq_sdk.values.models import Usage

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def finish_reason(stop_reason: object) -> str:
    """OpenAI's word for why the model stopped; `stop` for a word of tomorrow."""
    return _FINISH_REASONS.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"


def stop_reason(finish_reason: object, *, called_tools: bool) -> str:
    """Anthropic's word for why the model stopped. Some servers say `stop` after tool calls; the calls count."""
    reason = _STOP_REASONS.get(finish_reason, "end_turn") if isinstance(finish_reason, str) else "end_turn"
    return "tool_use" if called_tools and reason == "end_turn" else reason


def to_chat(message: dict[str, Any]) -> dict[str, Any]:
    """A chat completion for an Anthropic message. Blocks of tools that the provider ran itself are left out."""
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    thinking: list[dict[str, Any]] = []
    for place, value in enumerate(as_list(as_object(message, "body").get("content"), "content")):
        param = f"content.{place}"
        block = as_object(value, param)
        kind = block.get("type")
        if kind == "text":
            texts.append(as_text(block.get("text"), f"{param}.text"))
        elif kind == "tool_use":
            calls.append(anthropic_tools.call_to_chat(block, param))
        elif anthropic_thinking.is_thinking(block):
            thinking.append(anthropic_thinking.kept_block(block, param))
    said: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or (None if calls else "")}
    if calls:
        said["tool_calls"] = calls
    if message.get("stop_reason") == "refusal":
        said["refusal"] = refusal_text(message.get("stop_details"))
    said |= anthropic_thinking.message_fields(thinking)
    completion: dict[str, Any] = {
        "id": as_text(message.get("id", ""), "id"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": as_text(message.get("model", ""), "model"),
        "choices": [
            {"index": 0, "message": said, "logprobs": None, "finish_reason": finish_reason(message.get("stop_reason"))}
        ],
    }
    if (counted := usage.from_anthropic(message.get("usage"))) is not None:
        completion["usage"] = usage.to_chat(counted)
    return completion


def refusal_text(stop_details: object) -> str | None:
    """Why the provider refused, in its own words, if it gave any."""
    explanation = stop_details.get("explanation") if isinstance(stop_details, dict) else None
    return explanation if isinstance(explanation, str) else None


def from_chat(completion: dict[str, Any], model: str) -> dict[str, Any]:
    """An Anthropic message, said to come from `model`, for the first choice of a chat completion."""
    choices = as_list(as_object(completion, "body").get("choices"), "choices")
    if not choices:
        raise Untranslatable("choices", "at least one choice is expected")
    choice = as_object(choices[0], "choices.0")
    param = "choices.0.message"
    said = as_object(choice.get("message"), param)
    blocks = _thinking(said, param) + _texts(said, param)
    calls = said.get("tool_calls")
    for place, call in enumerate([] if calls is None else as_list(calls, f"{param}.tool_calls")):
        blocks.append(anthropic_tools.call_from_chat(call, f"{param}.tool_calls.{place}"))
    return {
        "id": as_text(completion.get("id", ""), "id"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": stop_reason(choice.get("finish_reason"), called_tools=bool(calls)),
        "stop_sequence": None,
        "usage": usage.to_anthropic(usage.from_chat(completion.get("usage")) or Usage()),
    }


def _thinking(said: dict[str, Any], param: str) -> list[dict[str, Any]]:
    """Thinking blocks of the answer. Plain reasoning has no signature; the wire demands the field all the same."""
    if said.get("thinking_blocks"):
        return [
            anthropic_thinking.kept_block(as_object(block, f"{param}.thinking_blocks"), f"{param}.thinking_blocks")
            for block in as_list(said["thinking_blocks"], f"{param}.thinking_blocks")
        ]
    if text := anthropic_thinking.reasoning_text(said):
        return [{"type": "thinking", "thinking": text, "signature": ""}]
    return []


def _texts(said: dict[str, Any], param: str) -> list[dict[str, Any]]:
    content = said.get("content")
    if isinstance(content, list):
        parts = [as_object(part, f"{param}.content") for part in content]
        content = "".join(as_text(part.get("text"), f"{param}.content") for part in parts if part.get("type") == "text")
    texts = [content, said.get("refusal")]
    return [
        {"type": "text", "text": as_text(text, f"{param}.content")} for text in texts if text is not None and text != ""
    ]

"""Prompts and answers in the conventions' form, for operators who asked for them.

What may be kept of them was decided before, by `routeiq_sdk.messages`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from routeiq_otel import names
from routeiq_otel.attributes import SPAN, attributes
from routeiq_otel.taking import Taken

Json = dict[str, Any]


def content_attributes(taken: Taken) -> bytes:
    """The attributes of prompt and answer that are there."""
    finish = taken.record.attempts[-1].finish_reason if taken.record.attempts else None
    prompt = taken.prompt if isinstance(taken.prompt, Mapping) else {_only_field(taken.wire): taken.prompt}
    instructions = list(_parts(prompt.get("system")))
    messages = [_message(each) for field in ("messages", "input", "prompt") for each in _list(prompt.get(field))]
    told = {
        names.SYSTEM_INSTRUCTIONS: _json(instructions) if instructions else None,
        names.INPUT_MESSAGES: _json(messages) if messages else None,
        names.OUTPUT_MESSAGES: _json(list(_answers(taken.answer, finish))) if taken.answer is not None else None,
        names.TOOL_DEFINITIONS: _json(prompt["tools"]) if prompt.get("tools") else None,
    }
    return attributes(told, SPAN)


def _only_field(wire: str) -> str:
    """The field that a prompt of one field came from."""
    return {"openai-completion": "prompt", "openai-embedding": "input"}.get(wire, "messages")


def _answers(answer: Any, finish: str | None) -> Iterator[Json]:
    if isinstance(answer, str):
        yield {**_said("assistant", [_text(answer)]), "finish_reason": finish or "stop"}
        return
    if not isinstance(answer, Mapping):
        return
    for choice in _list(answer.get("choices")):
        if isinstance(choice, Mapping):
            said = choice.get("message")
            message = _message(said) if isinstance(said, Mapping) else _said("assistant", [_text(choice.get("text"))])
            yield {**message, "finish_reason": choice.get("finish_reason") or finish or "stop"}
    if "content" in answer:
        parts = list(_parts(answer["content"]))
        yield {**_said("assistant", parts), "finish_reason": answer.get("stop_reason") or finish or "stop"}


def _message(told: Any) -> Json:
    if not isinstance(told, Mapping):
        return _said("user", [_text(told)])
    role = str(told.get("role", "user"))
    if role == "tool":
        result = {"type": "tool_call_response", "id": told.get("tool_call_id"), "response": told.get("content")}
        return _said(role, [result])
    parts = list(_parts(told.get("content")))
    for call in _list(told.get("tool_calls")):
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            parts.append(_call(call.get("id"), function.get("name"), function.get("arguments")))
    return _said(role, parts)


def _parts(content: Any) -> Iterator[Json]:
    for part in _list(content):
        if not isinstance(part, Mapping):
            yield _text(part)
            continue
        kind = str(part.get("type", "text"))
        if kind == "tool_use":
            yield _call(part.get("id"), part.get("name"), part.get("input"))
        elif kind == "tool_result":
            yield {"type": "tool_call_response", "id": part.get("tool_use_id"), "response": part.get("content")}
        elif "text" in part:
            yield _text(part["text"])
        else:
            yield {"type": kind}  # pictures and sounds are told of, not sent


def _call(id: Any, name: Any, arguments: Any) -> Json:
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments}


def _said(role: str, parts: list[Json]) -> Json:
    return {"role": role, "parts": parts}


def _text(value: Any) -> Json:
    return {"type": "text", "content": value if isinstance(value, str) else _json(value)}


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)

"""Anthropic-shaped bodies: messages, the event sequence of their streams, token counts and errors.
Plain functions from values to JSON objects; nothing here knows of sockets, scripts or time to wait.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .openai_wire import encode, fragments
from .recording import RecordedRequest
from .values import ToolCall, Usage, estimate_tokens

_SIGNATURE = "c2NyaXB0ZWQtc2lnbmF0dXJl"


def event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + encode({"type": kind, **fields}) + b"\n\n"


def estimated(request: RecordedRequest, said: str) -> Usage:
    asked = {name: request.fields[name] for name in ("system", "messages", "tools") if name in request.fields}
    return Usage(estimate_tokens(json.dumps(asked)), estimate_tokens(said))


def usage_body(usage: Usage) -> dict[str, Any]:
    """On this wire the input count leaves out what was read from or written to the cache."""
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }


def _envelope(request: RecordedRequest, model: str | None) -> dict[str, Any]:
    return {
        "id": f"msg_scripted_{request.number}",
        "type": "message",
        "role": "assistant",
        "model": model or request.model or "scripted-model",
    }


def _tool_use(call: ToolCall, place: int, request: RecordedRequest, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": call.id or f"toolu_{request.number}_{place}",
        "name": call.name,
        "input": dict(arguments),
    }


def message(
    request: RecordedRequest,
    text: str,
    *,
    tool_use: Sequence[ToolCall] = (),
    thinking: str | None = None,
    model: str | None = None,
    usage: Usage | None = None,
    stop_reason: str | None = None,
) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    if thinking is not None:
        blocks.append({"type": "thinking", "thinking": thinking, "signature": _SIGNATURE})
    if text or not tool_use:
        blocks.append({"type": "text", "text": text, "citations": None})
    for place, call in enumerate(tool_use):
        blocks.append(_tool_use(call, place, request, json.loads(call.arguments_text())))
    said = (thinking or "") + text + "".join(call.arguments_text() for call in tool_use)
    return {
        **_envelope(request, model),
        "content": blocks,
        "stop_reason": stop_reason or ("tool_use" if tool_use else "end_turn"),
        "stop_sequence": None,
        "usage": usage_body(usage or estimated(request, said)),
    }


def message_events(
    request: RecordedRequest,
    pieces: Sequence[str],
    *,
    tool_use: Sequence[ToolCall] = (),
    thinking: str | None = None,
    model: str | None = None,
    usage: Usage | None = None,
    stop_reason: str | None = None,
    stop: bool = True,
) -> Iterator[bytes]:
    """message_start, ping, then start, deltas and stop of each block, message_delta and message_stop."""
    said = (thinking or "") + "".join(pieces) + "".join(call.arguments_text() for call in tool_use)
    counts = usage_body(usage or estimated(request, said))
    opening = {**_envelope(request, model), "content": [], "stop_reason": None, "stop_sequence": None}
    yield event("message_start", message={**opening, "usage": {**counts, "output_tokens": 1}})
    yield event("ping")
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if thinking is not None:
        deltas = [{"type": "thinking_delta", "thinking": part} for part in fragments(thinking)]
        signature = {"type": "signature_delta", "signature": _SIGNATURE}
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signature]))
    if pieces or not tool_use:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]))
    for place, call in enumerate(tool_use):
        parts = [{"type": "input_json_delta", "partial_json": part} for part in fragments(call.arguments_text())]
        blocks.append((_tool_use(call, place, request, {}), parts))
    for index, (start, deltas) in enumerate(blocks):
        yield event("content_block_start", index=index, content_block=start)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    reason = stop_reason or ("tool_use" if tool_use else "end_turn")
    yield event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=counts)
    if stop:
        yield event("message_stop")


def error(kind: str, message: str, request_id: str | None = None) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}

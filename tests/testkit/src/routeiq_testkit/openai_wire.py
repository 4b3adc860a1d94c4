"""OpenAI-shaped bodies: chat completions, their streams, legacy completions, embeddings, models and errors.
Plain functions from values to JSON objects; nothing here knows of sockets, scripts or time to wait.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from .recording import RecordedRequest
from .values import ToolCall, Usage, estimate_tokens

UsagePolicy = bool | Usage | Literal["always"]
"""False: never; True: estimated, and in streams only if the request asks; "always": also unasked; or exact counts."""

DONE = b"data: [DONE]\n\n"
_FRAGMENTS = 3


def encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + encode(body) + b"\n\n"


def usage_counts(policy: UsagePolicy, request: RecordedRequest, text: str) -> Usage | None:
    if policy is False:
        return None
    if isinstance(policy, Usage):
        return policy
    fields = request.fields
    asked = fields.get("messages") or fields.get("prompt") or fields.get("input") or ""
    return Usage(estimate_tokens(asked if isinstance(asked, str) else json.dumps(asked)), estimate_tokens(text))


def usage_body(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _tool_call(call: ToolCall, place: int, request: RecordedRequest, arguments: str) -> dict[str, Any]:
    return {
        "id": call.id or f"call_{request.number}_{place}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _envelope(request: RecordedRequest, prefix: str, kind: str, model: str | None) -> dict[str, Any]:
    return {
        "id": f"{prefix}-scripted-{request.number}",
        "object": kind,
        "created": int(time.time()),
        "model": model or request.model or "scripted-model",
    }


def chat(
    request: RecordedRequest,
    text: str | None,
    *,
    model: str | None = None,
    usage: UsagePolicy = True,
    tool_calls: Sequence[ToolCall] = (),
    finish_reason: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if tool_calls:
        calls = [_tool_call(call, place, request, call.arguments_text()) for place, call in enumerate(tool_calls)]
        message["tool_calls"] = calls
    finish = finish_reason or ("tool_calls" if tool_calls else "stop")
    body = _envelope(request, "chatcmpl", "chat.completion", model)
    body["choices"] = [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}]
    said = (text or "") + "".join(call.arguments_text() for call in tool_calls)
    if (counts := usage_counts(usage, request, said)) is not None:
        body["usage"] = usage_body(counts)
    return {**body, "system_fingerprint": "scripted", **(extra or {})}


def chat_events(
    request: RecordedRequest,
    pieces: Sequence[str],
    *,
    model: str | None = None,
    usage: UsagePolicy = True,
    tool_calls: Sequence[ToolCall] = (),
    finish_reason: str | None = None,
    done: bool = True,
    extra: Mapping[str, Any] | None = None,
) -> Iterator[bytes]:
    """Events in the provider's order: role, pieces, tool calls, finish reason, usage if due, `[DONE]`."""
    head = _envelope(request, "chatcmpl", "chat.completion.chunk", model)
    head |= {"system_fingerprint": "scripted", **(extra or {})}
    asked = _usage_asked(request)
    said = "".join(pieces) + "".join(call.arguments_text() for call in tool_calls)
    counts = usage_counts(usage, request, said) if asked or usage == "always" else None
    blank: dict[str, Any] = {} if counts is None else {"usage": None}

    def delta(change: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": change, "logprobs": None, "finish_reason": finish}
        return event({**head, "choices": [choice], **blank})

    yield delta({"role": "assistant", "content": None if tool_calls and not pieces else "", "refusal": None})
    for piece in pieces:
        yield delta({"content": piece})
    for place, call in enumerate(tool_calls):
        yield delta({"tool_calls": [{"index": place, **_tool_call(call, place, request, "")}]})
        for fragment in fragments(call.arguments_text()):
            yield delta({"tool_calls": [{"index": place, "function": {"arguments": fragment}}]})
    yield delta({}, finish_reason or ("tool_calls" if tool_calls else "stop"))
    if counts is not None:
        yield event({**head, "choices": [], "usage": usage_body(counts)})
    if done:
        yield DONE


def fragments(text: str) -> Iterator[str]:
    """Cut a tool call's arguments as a model streams them: into a few fragments at arbitrary places."""
    size = max(1, -(-len(text) // _FRAGMENTS))
    return (text[start : start + size] for start in range(0, len(text), size))


def _usage_asked(request: RecordedRequest) -> bool:
    options = request.fields.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def completion(request: RecordedRequest, text: str, *, model: str | None, usage: UsagePolicy) -> dict[str, Any]:
    body = _envelope(request, "cmpl", "text_completion", model)
    body["choices"] = [{"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}]
    if (counts := usage_counts(usage, request, text)) is not None:
        body["usage"] = usage_body(counts)
    return body


def completion_events(
    request: RecordedRequest, pieces: Sequence[str], *, model: str | None, usage: UsagePolicy, done: bool
) -> Iterator[bytes]:
    head = _envelope(request, "cmpl", "text_completion", model)
    for text, finish in [*((piece, None) for piece in pieces), ("", "stop")]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        yield event({**head, "choices": [choice]})
    counts = usage_counts(usage, request, "".join(pieces))
    if counts is not None and (_usage_asked(request) or usage == "always"):
        yield event({**head, "choices": [], "usage": usage_body(counts)})
    if done:
        yield DONE


def embeddings(request: RecordedRequest, dimensions: int, number: int | None, model: str | None) -> dict[str, Any]:
    """One unit-scaled vector an input, the same for the same text; base64 if the request asks for it."""
    asked = request.fields.get("input", "")
    inputs = asked if isinstance(asked, list) and asked and not isinstance(asked[0], int) else [asked]
    wanted = len(inputs) if number is None else number
    as_base64 = request.fields.get("encoding_format") == "base64"
    data: list[dict[str, Any]] = []
    for place in range(wanted):
        vector = _vector(str(inputs[place % len(inputs)]), dimensions)
        data.append(
            {
                "object": "embedding",
                "index": place,
                "embedding": base64.b64encode(vector.tobytes()).decode() if as_base64 else vector.tolist(),
            }
        )
    tokens = sum(estimate_tokens(str(text)) for text in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model or request.model or "scripted-model", "usage": usage}


def _vector(text: str, dimensions: int) -> array[float]:
    stream = hashlib.shake_256(text.encode()).digest(2 * dimensions)
    raw = [int.from_bytes(stream[2 * i : 2 * i + 2]) / 32767.5 - 1.0 for i in range(dimensions)]
    length = sum(value * value for value in raw) ** 0.5 or 1.0
    return array("f", (value / length for value in raw))


def models(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The list of models by name, each with the further fields given for it."""
    common = {"object": "model", "created": 1_700_000_000, "owned_by": "routeiq-testkit"}
    return {"object": "list", "data": [{"id": name, **common, **more} for name, more in details.items()]}


def error(kind: str, message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}

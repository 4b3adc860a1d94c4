"""What honest clients and providers send: the inputs that fuzzing spoils.

How they are spoilt, and what reads them, is in `fuzz_cases`.
"""

from __future__ import annotations

from typing import Any

_CALL = {"id": "call_1", "type": "function", "index": 0, "function": {"name": "f", "arguments": '{"a": [1, "x"]}'}}
_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
_TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
CHAT_BODY: dict[str, Any] = {
    "model": "fast", "stream": False, "max_tokens": 5, "temperature": 0.5, "stop": ["x"], "user": "u", "n": 1,
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, _IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
    ],
    "tools": [_TOOL], "tool_choice": "auto", "response_format": {"type": "json_object"}, "metadata": {"tags": ["a"]},
    "stream_options": {"include_usage": True}, "reasoning_effort": "low",
}  # fmt: skip
MESSAGE_BODY: dict[str, Any] = {
    "model": "claude", "max_tokens": 9,
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "42"}]},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        ]},
    ],
    "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"},
    "thinking": {"type": "enabled", "budget_tokens": 1024}, "metadata": {"user_id": "u"}, "stop_sequences": ["x"],
}  # fmt: skip
COMPLETION_BODY: dict[str, Any] = {
    "model": "fast",
    "prompt": ["a", [1, 2]],
    "max_tokens": 3,
    "echo": False,
    "suffix": "s",
}
EMBEDDING_BODY: dict[str, Any] = {"model": "fast", "input": ["a", "b"], "dimensions": 8, "encoding_format": "float"}
CHAT_ANSWER: dict[str, Any] = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": None, "message": {
        "role": "assistant", "content": "hi", "reasoning_content": "hm", "tool_calls": [_CALL],
    }}],
    "usage": {
        "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1},
    },
}  # fmt: skip
MESSAGE_ANSWER: dict[str, Any] = {
    "id": "m", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
    "stop_sequence": None,
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "hi"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 1},
}  # fmt: skip
CHAT_CHUNKS: list[Any] = [
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"role": "assistant", "content": "h"}, "finish_reason": None}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [_CALL]}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "c", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
]  # fmt: skip
MESSAGE_EVENTS: list[Any] = [
    {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {"input_tokens": 3, "output_tokens": 0}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]
BODIES = {"chat": CHAT_BODY, "completion": COMPLETION_BODY, "embedding": EMBEDDING_BODY, "messages": MESSAGE_BODY}

"""The words of canonical chat JSON that OpenAI's own API does not know, and how to leave them out.

Which server needs that is for the upstream side to know.
"""

from __future__ import annotations

from typing import Any

_REQUEST = ("top_k", "thinking")
_MESSAGE = ("thinking_blocks", "reasoning_content", "cache_control", "is_error")


def without_extensions(request: dict[str, Any]) -> dict[str, Any]:
    """A chat request in OpenAI's words alone. The request itself stays as it is."""
    plain = {name: value for name, value in request.items() if name not in _REQUEST}
    if isinstance(messages := plain.get("messages"), list):
        plain["messages"] = [_plain_message(message) for message in messages]
    if isinstance(tools := plain.get("tools"), list):
        plain["tools"] = [_without(tool, ("cache_control",)) for tool in tools]
    return plain


def _plain_message(message: Any) -> Any:
    plain = _without(message, _MESSAGE)
    if isinstance(plain, dict):
        for name in ("content", "tool_calls"):
            if isinstance(entries := plain.get(name), list):
                plain[name] = [_without(entry, ("cache_control",)) for entry in entries]
    return plain


def _without(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {name: field for name, field in value.items() if name not in names}
    return value

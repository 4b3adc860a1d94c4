"""The prefixes of a prompt that its client marked for the provider's cache (`cache_control`), as digests.

Which deployment has a prefix in its cache is remembered by `affinity`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

MOST_MARKS = 4
"""As many marks as providers take in one request."""


def marked_prefixes(body: Mapping[str, Any]) -> tuple[str, ...]:
    """A digest of everything up to each mark, the longest prefix first. The marks themselves are left out of it, since
    clients move them as a conversation grows."""
    blocks = [*_blocks(body)]
    if not any(marked for _, marked in blocks):
        return ()
    digest = hashlib.sha256()
    found: list[str] = []
    for block, marked in blocks:
        digest.update(json.dumps(block, sort_keys=True, separators=(",", ":")).encode() + b"\n")
        if marked:
            found.append(digest.hexdigest())
    return tuple(reversed(found[-MOST_MARKS:]))


def _blocks(body: Mapping[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Tools, system prompt and messages in the order in which providers cache them, each with whether it is marked."""
    for tool in _list(body.get("tools")):
        inner = tool.get("function") if isinstance(tool, Mapping) else None
        yield _bare(tool), _is_marked(tool) or _is_marked(inner)
    yield from _content({"role": "system"}, body.get("system"))
    for message in _list(body.get("messages")):
        if not isinstance(message, Mapping):
            yield message, False
            continue
        around = {name: value for name, value in message.items() if name not in ("content", "cache_control")}
        parts = [*_content(around, message.get("content"))] or [((around, None), False)]
        if _is_marked(message):
            parts[-1] = (parts[-1][0], True)
        yield from parts


def _content(around: Mapping[str, Any], content: Any) -> Iterator[tuple[Any, bool]]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    for part in _list(content):
        yield (around, _bare(part)), _is_marked(part)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_marked(value: Any) -> bool:
    mark = value.get("cache_control") if isinstance(value, Mapping) else None
    return isinstance(mark, Mapping) and mark.get("type") == "ephemeral"


def _bare(value: Any) -> Any:
    """The value without its mark, and without that of the function inside it."""
    if not isinstance(value, Mapping):
        return value
    return {
        name: _bare(item) if name == "function" else item for name, item in value.items() if name != "cache_control"
    }

"""Where texts stand in a request or an answer, on every wire, and how to put others in their place.

Bodies are walked whole: a field that nobody knew when this was written is read like any other. What is passed over is
named here: words of the protocol, and binary data.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from typing import Any

from routeiq_sdk.guards.findings import Finding


class Inside(Enum):
    """Steps of a path that are no key and no number."""

    JSON = "json"
    """Into the JSON that a string holds."""
    KEYS = "keys"
    """The names of an object's fields. They cannot be replaced."""


Step = str | int | Inside
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """One text of a body and its `path`. `part` says what it is: `system`, `user`, `assistant`, `tool_result`,
    `arguments` (of a tool call), `tools` (their definitions), `reasoning`, `refusal`, or `input` for anything else."""

    text: str
    path: Path
    part: str

    @property
    def fixed(self) -> bool:
        """Whether no other text can be put in its place."""
        return Inside.KEYS in self.path


_GATEWAYS_OWN = frozenset(
    {
        "background",
        "cache",
        "fallbacks",
        "frequency_penalty",
        "guardrails",
        "include",
        "litellm_metadata",
        "litellm_session_id",
        "litellm_trace_id",
        "logit_bias",
        "max_tokens",
        "metadata",
        "modalities",
        "model",
        "reasoning_effort",
        "routeiq",
        "router_settings_override",
        "service_tier",
        "stream",
        "stream_options",
        "tags",
        "user",
    }
)
"""Fields of a request that no model reads."""

_ENVELOPE = frozenset(
    {"id", "object", "created", "model", "usage", "system_fingerprint", "service_tier", "type", "role"}
)
"""Fields of an answer that the model did not write."""

_PROTOCOL = frozenset(
    {
        "cache_control",
        "call_id",
        "detail",
        "encrypted_content",
        "file_id",
        "finish_reason",
        "id",
        "logprobs",
        "media_type",
        "mime_type",
        "role",
        "signature",
        "stop_reason",
        "tool_call_id",
        "tool_use_id",
        "type",
    }
)
"""Fields whose values are words of the protocol. Inside arguments and definitions of tools they are anybody's words."""

_ROLES = {"system": "system", "developer": "system", "assistant": "assistant", "tool": "tool_result", "user": "user"}
_PART_OF_FIELD = {
    "system": "system",
    "instructions": "system",
    "tools": "tools",
    "functions": "tools",
    "reasoning_content": "reasoning",
    "reasoning": "reasoning",
    "thinking": "reasoning",
    "thinking_blocks": "reasoning",
    "refusal": "refusal",
}
_CALL_BLOCKS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_RESULT = "tool_result"
_FREE = frozenset({"arguments", "tools"})
_CALLS = frozenset({"arguments", "partial_json"})
_DATA_URL = re.compile(r"data:[\w.+/;=-]{0,200};base64,")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/=_-]{60,}+\r?\n)*+[A-Za-z0-9+/=_-]*+\s?")
"""Binary data; words with anything between them are none, wherever they stand."""
_OWN_DATA = frozenset({"structuredContent", "_meta", "inputRequests", "params", "error"})
"""Where a result holds data of the server's own making: what it returns or asks, notifications, errors."""


def read_request(body: Mapping[str, Any]) -> list[Passage]:
    """The texts of a request that a model may read, in their order."""
    found: list[Passage] = []
    for name, value in body.items():
        if name in _GATEWAYS_OWN:
            continue
        if name == "messages" and isinstance(value, list):
            for number, message in enumerate(value):
                role = message.get("role") if isinstance(message, Mapping) else None
                part = "tool_result" if role == "function" else _ROLES.get(str(role), "input")
                found += _walk(message, (name, number), part)
        else:
            found += _walk(value, (name,), _part(name, "input"))
    return found


def read_answer(body: Mapping[str, Any]) -> list[Passage]:
    """The texts of a whole answer that the model wrote, in their order. Vectors hold none."""
    if body.get("object") == "list":
        return []
    found: list[Passage] = []
    for name, value in body.items():
        if name not in _ENVELOPE:
            found += _walk(value, (name,), _part(name, "assistant"))
    return found


def read_result(content: Mapping[str, Any]) -> list[Passage]:
    """The texts that a tool gave, in their order: every string of its result, and the names of fields in data of its
    own. Images and sounds hold none."""
    return list(_given(content, (), "tool_result"))


def read_definition(definition: Mapping[str, Any]) -> list[Passage]:
    """The texts by which a server describes a tool, in their order."""
    return list(_walk(definition, (), "tools"))


def put(body: Mapping[str, Any], texts: Sequence[tuple[Path, str]]) -> dict[str, Any]:
    """The body with these texts at their paths; everything else is shared with the old one.

    The probabilities of tokens beside a text that changed are left out, since they spell it.
    """
    changed: dict[str, Any] = _put(body, texts)
    return changed


def _walk(value: Any, path: Path, part: str) -> Iterator[Passage]:
    if isinstance(value, str):
        if value:
            yield from _string(value, path, part)
    elif isinstance(value, Mapping):
        yield from _object(value, path, part)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _walk(entry, (*path, number), part)


def _object(value: Mapping[str, Any], path: Path, part: str) -> Iterator[Passage]:
    kind = value.get("type")
    free = part in _FREE
    if not free and isinstance(kind, str) and kind.endswith(_RESULT):
        part = _RESULT
    if free and (keys := "\n".join(name for name in value if name)):
        yield Passage(keys, (*path, Inside.KEYS), part)
    for name, entry in value.items():
        if not free and name in _PROTOCOL:
            continue
        if name == "data" and (kind in ("base64", "redacted_thinking") or path[-1:] == ("input_audio",)):
            continue
        if name == "audio" and isinstance(entry, Mapping):
            entry = {key: each for key, each in entry.items() if key != "data"}
        if not free and name == "input" and kind in _CALL_BLOCKS:
            yield from _walk(entry, (*path, name), "arguments")
        else:
            yield from _walk(entry, (*path, name), part if free else _part(name, part))


def _given(value: Any, path: Path, part: str) -> Iterator[Passage]:
    if isinstance(value, str):
        if value:
            yield from _string(value, path, part)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _given(entry, (*path, number), part)
    elif isinstance(value, Mapping):
        if path and path[0] in _OWN_DATA and (keys := "\n".join(name for name in value if name)):
            yield Passage(keys, (*path, Inside.KEYS), part)
        binary = "blob" if "blob" in value else "data" if value.get("type") in ("image", "audio") else None
        for name, entry in value.items():
            if name != binary or not isinstance(entry, str) or not _BASE64.fullmatch(entry):
                yield from _given(entry, (*path, name), part)


def _part(name: str, part: str) -> str:
    if name in _CALLS:
        return "arguments"
    return _PART_OF_FIELD.get(name, part) if part in ("assistant", "input") else part


def _string(text: str, path: Path, part: str) -> Iterator[Passage]:
    head = _DATA_URL.match(text)
    if head is not None and _BASE64.fullmatch(text, head.end()):
        return
    if part == "arguments" and path[-1] in _CALLS and (document := json_of(text)) is not None:
        yield from _walk(document, (*path, Inside.JSON), part)  # escapes would hide what the arguments say
        return
    yield Passage(text, path, part)


@dataclass(frozen=True, slots=True)
class Joined:
    """The texts of the blocks of one result as who reads them all reads them: one after another, each on its own lines.
    A text that is refused may be spread over them."""

    passage: Passage
    ends: tuple[int, ...]
    """Where each block ends."""

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> Joined | None:
        """Of what `read_result` found; `None` when fewer than two blocks hold a text."""
        blocks = [passage.text for passage in passages if passage.path[-1:] == ("text",) and not passage.fixed]
        if len(blocks) < 2:
            return None
        ends = tuple(accumulate(len(text) + 1 for text in blocks))
        return cls(Passage("\n".join(blocks), (), "tool_result"), ends)

    def is_over(self, finding: Finding) -> bool:
        """Whether a finding reaches from one block into another; what is inside of one is found there."""
        return bisect_right(self.ends, finding.start) != bisect_right(self.ends, max(finding.start, finding.end - 1))


def json_of(text: str) -> Any:
    """The object or list that a text is the JSON of; `None` when it is no such JSON."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _put(value: Any, texts: Sequence[tuple[Path, str]]) -> Any:
    if not texts[0][0]:
        return texts[0][1]
    below: dict[Step, list[tuple[Path, str]]] = {}
    for path, text in texts:
        below.setdefault(path[0], []).append((path[1:], text))
    if Inside.JSON in below:
        return json.dumps(_put(json.loads(value), below[Inside.JSON]), ensure_ascii=False)
    if isinstance(value, list):
        return [_put(entry, below[number]) if number in below else entry for number, entry in enumerate(value)]
    changed = {name: _put(entry, below[name]) if name in below else entry for name, entry in value.items()}
    if changed.get("logprobs") is not None:
        changed["logprobs"] = None
    return changed

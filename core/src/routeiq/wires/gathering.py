"""The chunks of a streamed chat completion, gathered into the completion that they stand for.

Only the first choice is gathered. Who reads the chunks and where they go meanwhile is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")

Json = dict[str, Any]


class Gathering:
    """Add chunks in their order; `completion()` is what they make."""

    def __init__(self) -> None:
        self._head: Json = {}
        self._message: Json = {"role": "assistant", "content": None}
        self._calls: dict[int, Json] = {}
        self._reason: str | None = None
        self._usage: Json | None = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take one chunk in."""
        if not self._head:
            self._head = {name: chunk[name] for name in ("id", "created", "model") if name in chunk}
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._reason = choice.get("finish_reason") or self._reason
                self._delta(choice.get("delta") or {})

    def completion(self) -> Json:
        """All that was said, as a chat completion."""
        message = dict(self._message)
        if self._calls:
            message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        reason = self._reason or ("tool_calls" if self._calls else "stop")
        choice = {"index": 0, "message": message, "finish_reason": reason}
        told = {} if self._usage is None else {"usage": self._usage}
        return {**self._head, "object": "chat.completion", "choices": [choice], **told}

    def _delta(self, delta: Json) -> None:
        for name, value in delta.items():
            if name == "tool_calls":
                for fragment in value or ():
                    self._fragment(fragment)
            elif name == "thinking_blocks":
                for block in value or ():
                    self._thought(block)
            elif name in _TEXTS:
                if value:
                    self._message[name] = (self._message.get(name) or "") + value
            elif value is not None:
                self._message[name] = value

    def _fragment(self, fragment: Json) -> None:
        index = fragment.get("index")
        if not isinstance(index, int):  # a new call has an id; what has neither goes on with the last one
            last = max(self._calls, default=-1)
            index = last + 1 if fragment.get("id") or last < 0 else last
        call = self._calls.setdefault(index, {"type": "function", "function": {"name": "", "arguments": ""}})
        for name, value in fragment.items():
            if name == "function":
                function = call["function"]
                function["name"] = function["name"] or (value or {}).get("name") or ""
                function["arguments"] += (value or {}).get("arguments") or ""
            elif name != "index" and value is not None:
                call[name] = value

    def _thought(self, block: Json) -> None:
        """A signature ends its block, which must go back to the provider as it was signed."""
        blocks: list[Json] = self._message.setdefault("thinking_blocks", [])
        last = blocks[-1] if blocks else None
        if last is None or last.get("type") != "thinking" or block.get("type") != "thinking" or last.get("signature"):
            blocks.append(dict(block))
            return
        last["thinking"] = (last.get("thinking") or "") + (block.get("thinking") or "")
        last["signature"] = block.get("signature") or ""

"""The texts inside the events of a running stream, on each wire: where they stand, how to change them, what ends them.

Judging them is the plugins' business, sending them `relay`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Document = dict[str, Any]


class Channel(NamedTuple):
    """One text that grows over many events. `part` is what it is (`text`, `refusal`, `reasoning`, `arguments`),
    `block` the number of the choice or content block, `name` tells apart what one block holds side by side."""

    part: str
    block: int
    name: str | int = ""


@dataclass(slots=True)
class Piece:
    """What one event adds to one channel. It can be changed in place, before the event is written again."""

    channel: Channel
    text: str
    holder: Document
    key: str
    choice: Document | None = None

    def put(self, text: str) -> None:
        """Let the event add `text` instead."""
        self.holder[self.key] = text
        if text != self.text and self.choice is not None and self.choice.get("logprobs") is not None:
            self.choice["logprobs"] = None  # they spell out the tokens of the text that was there


class StreamTexts(Protocol):
    """What differs between wires."""

    def pieces(self, document: Document) -> list[Piece]:
        """The texts that the event adds."""

    def lone(self, document: Document, channel: Channel, text: str) -> Document:
        """An event like `document` that adds `text` to the channel and nothing else."""

    def worthless(self, document: Document) -> bool:
        """Whether the event, whose texts are empty now, says nothing else."""

    def closes(self, document: Document) -> int | None:
        """The block whose texts are over with this event; `None` when there is none, -1 for all."""


_SPOKEN = (("content", "text"), ("refusal", "refusal"), ("reasoning_content", "reasoning"), ("reasoning", "reasoning"))
_KEYS = dict(_SPOKEN)


class ChatTexts:
    """Chat completions: every choice has a text, a refusal, a reasoning and the arguments of its calls."""

    def pieces(self, document: Document) -> list[Piece]:
        """The strings of each choice's delta."""
        return [piece for choice in _objects(document.get("choices")) for piece in self._of_choice(choice)]

    def lone(self, document: Document, channel: Channel, text: str) -> Document:
        """A chunk with one choice and one field."""
        delta: Document
        match channel.part, channel.name:
            case "arguments", int() as number:
                delta = {"tool_calls": [{"index": number, "function": {"arguments": text}}]}
            case "arguments", _:
                delta = {"function_call": {"arguments": text}}
            case _, "transcript":
                delta = {"audio": {"transcript": text}}
            case _, int() as number:
                delta = {"thinking_blocks": [*({} for _ in range(number)), {"type": "thinking", "thinking": text}]}
            case _, name:
                delta = {name: text}
        return _chunk(document, {"index": channel.block, "delta": delta, "finish_reason": None})

    def worthless(self, document: Document) -> bool:
        """No role, no call and no end stands beside the empty text."""
        if document.get("usage") is not None:
            return False
        return all(
            not choice.get("finish_reason") and (choice.get("delta") or {}).keys() <= _KEYS.keys()
            for choice in _objects(document.get("choices"))
        )

    def closes(self, document: Document) -> int | None:
        """The choice that has a finish reason."""
        return _finished(document)

    def _of_choice(self, choice: Document) -> Iterator[Piece]:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        block = _number(choice.get("index"))
        for name, part in _SPOKEN:
            if name in delta:
                yield from _piece(Channel(part, block, name), delta, name, choice)
        for number, thought in enumerate(_objects(delta.get("thinking_blocks"))):
            yield from _piece(Channel("reasoning", block, number), thought, "thinking", choice)
        for call in _objects(delta.get("tool_calls")):
            channel = Channel("arguments", block, _number(call.get("index")))
            for kind, name in (("function", "arguments"), ("custom", "input")):
                yield from _piece(channel, call.get(kind), name, choice)
        yield from _piece(Channel("arguments", block, "function_call"), delta.get("function_call"), "arguments", choice)
        yield from _piece(Channel("text", block, "transcript"), delta.get("audio"), "transcript", choice)


class CompletionTexts:
    """Legacy completions: every choice has one text."""

    def pieces(self, document: Document) -> list[Piece]:
        """The text of each choice."""
        return [
            piece
            for choice in _objects(document.get("choices"))
            for piece in _piece(Channel("text", _number(choice.get("index"))), choice, "text", choice)
        ]

    def lone(self, document: Document, channel: Channel, text: str) -> Document:
        """A chunk with one choice."""
        return _chunk(document, {"index": channel.block, "text": text, "finish_reason": None, "logprobs": None})

    def worthless(self, document: Document) -> bool:
        """Nothing ended."""
        return document.get("usage") is None and _finished(document) is None

    def closes(self, document: Document) -> int | None:
        """The choice that has a finish reason."""
        return _finished(document)


_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "reasoning"),
    "input_json_delta": ("partial_json", "arguments"),
}
_DELTA_OF = {part: (kind, key) for kind, (key, part) in _DELTAS.items()}


class MessageTexts:
    """Anthropic messages: every content block is one text."""

    def pieces(self, document: Document) -> list[Piece]:
        """The text of a delta, or what a content block begins with."""
        block = _number(document.get("index"))
        delta = document.get("delta")
        if document.get("type") == "content_block_delta" and isinstance(delta, dict):
            key, part = _DELTAS.get(str(delta.get("type")), ("", ""))
            return list(_piece(Channel(part, block), delta, key)) if part else []
        if document.get("type") == "content_block_start":
            begun = document.get("content_block")
            return [
                *_piece(Channel("text", block), begun, "text"),
                *_piece(Channel("reasoning", block), begun, "thinking"),
            ]
        return []

    def lone(self, document: Document, channel: Channel, text: str) -> Document:
        """A delta of the block."""
        kind, key = _DELTA_OF[channel.part]
        return {"type": "content_block_delta", "index": channel.block, "delta": {"type": kind, key: text}}

    def worthless(self, document: Document) -> bool:
        """Deltas hold one text and nothing else."""
        return document.get("type") == "content_block_delta"

    def closes(self, document: Document) -> int | None:
        """The content block that ends; all of them when the message does."""
        match document.get("type"):
            case "content_block_stop":
                return _number(document.get("index"))
            case "message_delta" | "message_stop":
                return -1
        return None


TEXTS: dict[str, StreamTexts] = {
    "openai-chat": ChatTexts(),
    "openai-completion": CompletionTexts(),
    "anthropic-messages": MessageTexts(),
}


def _piece(channel: Channel, holder: object, key: str, choice: Document | None = None) -> Iterator[Piece]:
    if isinstance(holder, dict):
        text = holder.get(key)
        if isinstance(text, str) and text:
            yield Piece(channel, text, holder, key, choice)


def _chunk(document: Document, choice: Document) -> Document:
    kept = {name: value for name, value in document.items() if name not in ("choices", "usage")}
    return {**kept, "choices": [choice]}


def _finished(document: Document) -> int | None:
    choices = _objects(document.get("choices"))
    ended = [_number(choice.get("index")) for choice in choices if choice.get("finish_reason")]
    return None if not ended else ended[0] if len(ended) == 1 else -1


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _objects(value: object) -> list[Document]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []

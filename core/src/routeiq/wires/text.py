"""The words in a body, per wire, for guards and strategies that read them, and a rough count of their tokens.

Reading is tolerant: what is not text where text is expected is passed over, since others judge the body.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

_ASCII = bytes(range(128))
_NOT_PUNCTUATION = bytes(byte for byte in range(256) if byte not in string.punctuation.encode())


def estimate_tokens(text: str | bytes) -> int:
    """A rough upper estimate from bytes: 3 letters, digits or spaces of ASCII a token, 3 signs of punctuation for two
    tokens, and 2 bytes a token of anything else, rounded up. No tokenizer is asked.

    English prose really takes about 4 bytes a token, code 3, JSON 2, Chinese and Japanese 2 to 3, so most text takes
    fewer tokens than this says. Random letters (base64, hashes) and emoji can take more.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    other = len(data.translate(None, _ASCII))
    signs = len(data.translate(None, _NOT_PUNCTUATION))
    plain = len(data) - other - signs
    return -(-(2 * plain + 4 * signs + 3 * other) // 6)


def chat_text(body: Mapping[str, Any]) -> str:
    """All text of a chat request that the model sees: messages, calls and their results, tool definitions."""
    return "\n".join(_chat_texts(body))


def anthropic_text(body: Mapping[str, Any]) -> str:
    """All text of an Anthropic request that the model sees: system, turns, calls and results, tool definitions."""
    return "\n".join(_anthropic_texts(body))


def completion_text(body: Mapping[str, Any]) -> str:
    """Prompt and suffix of a text completion request. Prompts of token ids hold no text."""
    return "\n".join([*_strings(body.get("prompt")), *_strings(body.get("suffix"))])


def embedding_text(body: Mapping[str, Any]) -> str:
    """The inputs of an embeddings request. Inputs of token ids hold no text."""
    return "\n".join(_strings(body.get("input")))


def chat_last_user_text(body: Mapping[str, Any]) -> str:
    """Text of the last user message that has any."""
    return _last_user_text(body)


def anthropic_last_user_text(body: Mapping[str, Any]) -> str:
    """Text of the last user turn that has any of its own: turns that only return tool results are passed over."""
    return _last_user_text(body)


def completion_last_user_text(body: Mapping[str, Any]) -> str:
    """The last prompt."""
    return next(reversed([*_strings(body.get("prompt"))]), "")


def embedding_last_user_text(body: Mapping[str, Any]) -> str:
    """The last input."""
    return next(reversed([*_strings(body.get("input"))]), "")


def delta_text(chunk: Mapping[str, Any]) -> str:
    """The answer's text in a canonical chunk. Reasoning and the arguments of calls are not part of it."""
    return "".join(_delta_strings(chunk, "content", "refusal"))


def delta_output(chunk: Mapping[str, Any]) -> str:
    """All that the model wrote in a canonical chunk, reasoning and calls too: what a provider bills for."""
    said = list(_delta_strings(chunk, "content", "refusal", "reasoning_content", "reasoning"))
    for choice in _objects(chunk.get("choices")):
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            for call in _objects(delta.get("tool_calls")):
                said += _named(call.get("function"), "name", "arguments")
    return "".join(said)


def _delta_strings(chunk: Mapping[str, Any], *names: str) -> Iterator[str]:
    for choice in _objects(chunk.get("choices")):
        yield from _named(choice.get("delta"), *names)


def _chat_texts(body: Mapping[str, Any]) -> Iterator[str]:
    for message in _objects(body.get("messages")):
        yield from _named(message, "reasoning_content")
        yield from _content(message.get("content"))
        yield from _named(message, "refusal")
        for call in _objects(message.get("tool_calls")):
            yield from _named(call.get("function"), "name", "arguments")
    for tool in _objects(body.get("tools")):
        function = tool.get("function")
        yield from _named(function, "name", "description")
        if isinstance(function, Mapping):
            yield from _json(function.get("parameters"))


def _anthropic_texts(body: Mapping[str, Any]) -> Iterator[str]:
    yield from _content(body.get("system"))
    for message in _objects(body.get("messages")):
        yield from _content(message.get("content"))
    for tool in _objects(body.get("tools")):
        yield from _named(tool, "name", "description")
        yield from _json(tool.get("input_schema"))


def _content(content: object) -> Iterator[str]:
    """Texts of a message's content, in the blocks of either wire. A block inside a block is read one level down."""
    if isinstance(content, str):
        if content:
            yield content
        return
    for block in _objects(content):
        yield from _block(block)
        for inner in (block.get("content"), _source_content(block)):
            if isinstance(inner, str):
                yield from _strings(inner)
            for part in _objects(inner):
                yield from _block(part)
                yield from (text for nested in _objects(part.get("content")) for text in _block(nested))


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _named(block, "title", "context", "text", "thinking", "refusal")
    if block.get("type") == "tool_use":
        yield from _named(block, "name")
        yield from _json(block.get("input"))
    source = block.get("source")
    if isinstance(source, Mapping) and source.get("type") == "text":
        yield from _named(source, "data")


def _source_content(block: Mapping[str, Any]) -> object:
    source = block.get("source")
    return source.get("content") if isinstance(source, Mapping) else None


def _last_user_text(body: Mapping[str, Any]) -> str:
    for message in reversed([*_objects(body.get("messages"))]):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                said = content
            else:
                said = "\n".join(text for part in _objects(content) for text in _named(part, "text"))
            if said:
                return said
    return ""


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for entry in value:
            if isinstance(entry, Mapping):
                yield entry


def _named(value: object, *names: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name in names:
            if isinstance(text := value.get(name), str) and text:
                yield text


def _strings(value: object) -> Iterator[str]:
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, str) and entry:
            yield entry


def _json(value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        try:
            yield orjson.dumps(value).decode()
        except orjson.JSONEncodeError:
            yield str(value)

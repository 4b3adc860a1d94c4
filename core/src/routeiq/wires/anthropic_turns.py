"""Conversations: Anthropic's system, user and assistant turns to chat messages and back.

The parameters beside the conversation are for `anthropic_requests`.
"""

from __future__ import annotations

from typing import Any

from routeiq.wires.anthropic_blocks import Part, from_part, to_parts, with_cache_mark
from routeiq.wires.anthropic_thinking import is_thinking, kept_block, message_fields
from routeiq.wires.anthropic_tools import call_from_chat, call_id, call_to_chat
from routeiq.wires.reading import Untranslatable, as_list, as_object, as_text

Message = dict[str, Any]


def to_chat(system: object, messages: object) -> list[Message]:
    """Chat messages of an Anthropic conversation.

    Each tool result becomes a message of role tool, ahead of the rest of its turn. An image or file in a result
    moves to the user message behind it, since a tool message holds text alone.
    """
    found: list[Message] = []
    if system is not None:
        found += _system_to_chat(system, "system")
    for place, value in enumerate(as_list(messages, "messages")):
        param = f"messages.{place}"
        message = as_object(value, param)
        role = message.get("role")
        if role == "user":
            found += _user_to_chat(message.get("content"), f"{param}.content")
        elif role == "assistant":
            found.append(_assistant_to_chat(message.get("content"), f"{param}.content"))
        elif role == "system":
            found += _system_to_chat(message.get("content"), f"{param}.content")
        else:
            raise Untranslatable(f"{param}.role", "one of assistant, system, user is expected")
    return found


def _joined(parts: list[Part]) -> str | list[Part]:
    """Parts as a plain string where nothing is lost by it: many servers take no other content."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text" and "cache_control" not in parts[0]:
        return str(parts[0]["text"])
    return parts


def _parts(blocks: object, param: str) -> list[Part]:
    if isinstance(blocks, str):
        return [{"type": "text", "text": blocks}] if blocks else []
    found = []
    for place, block in enumerate(as_list(blocks, param)):
        found += to_parts(block, f"{param}.{place}")
    return found


def _system_to_chat(content: object, param: str) -> list[Message]:
    parts = _parts(content, param)
    if any(part["type"] != "text" for part in parts):
        raise Untranslatable(param, "only text is expected here")
    return [{"role": "system", "content": _joined(parts)}] if parts else []


def _user_to_chat(content: object, param: str) -> list[Message]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    results: list[Message] = []
    rest: list[Part] = []
    for place, value in enumerate(as_list(content, param)):
        block = as_object(value, f"{param}.{place}")
        if block.get("type") == "tool_result":
            result, moved = _result_to_chat(block, f"{param}.{place}")
            results.append(result)
            rest += moved
        else:
            rest += to_parts(block, f"{param}.{place}")
    if rest or not results:
        results.append({"role": "user", "content": _joined(rest)})
    return results


def _result_to_chat(block: Part, param: str) -> tuple[Message, list[Part]]:
    content = block.get("content")
    parts = [] if content is None else _parts(content, f"{param}.content")
    texts = [part for part in parts if part["type"] == "text"]
    message: Message = {
        "role": "tool",
        "tool_call_id": as_text(block.get("tool_use_id"), f"{param}.tool_use_id"),
        "content": _joined(texts),
    }
    if block.get("is_error") is True:
        message["is_error"] = True
    return with_cache_mark(message, block), [part for part in parts if part["type"] != "text"]


def _assistant_to_chat(content: object, param: str) -> Message:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    parts: list[Part] = []
    calls: list[Part] = []
    thinking: list[Part] = []
    for place, value in enumerate(as_list(content, param)):
        block_param = f"{param}.{place}"
        block = as_object(value, block_param)
        if block.get("type") == "tool_use":
            calls.append(call_to_chat(block, block_param))
        elif is_thinking(block):
            thinking.append(kept_block(block, block_param))
        elif block.get("type") == "text":
            parts += to_parts(block, block_param)
        else:
            raise Untranslatable(f"{block_param}.type", f"a block of type {block.get('type')!r:.40} has no equivalent")
    said: str | list[Part] | None = parts
    if not any("cache_control" in part for part in parts):
        said = "".join(part["text"] for part in parts)
    message: Message = {"role": "assistant", "content": said or (None if calls else "")}
    if calls:
        message["tool_calls"] = calls
    return message | message_fields(thinking)


def from_chat(messages: object) -> tuple[list[Part], list[Message]]:
    """System blocks and turns of a chat conversation, as Anthropic wants them.

    All system and developer messages are gathered in front; messages of one role in a row are one turn; tool
    results stand first in theirs; what has no words is left out; the last assistant turn ends without white space.
    """
    system: list[Part] = []
    turns: list[Message] = []
    for place, value in enumerate(as_list(messages, "messages")):
        param = f"messages.{place}"
        message = as_object(value, param)
        role = message.get("role")
        if role in ("system", "developer"):
            system += _only_text(_blocks(message, param), param)
        elif role == "user":
            _add(turns, "user", _blocks(message, param))
        elif role == "tool":
            _add(turns, "user", [_result_block(message, param)])
        elif role == "assistant":
            _add(turns, "assistant", _assistant_blocks(message, param))
        else:
            raise Untranslatable(f"{param}.role", "one of assistant, developer, system, tool, user is expected")
    _trim_prefill(turns)
    if not turns:
        raise Untranslatable("messages", "at least one user or assistant message with content is expected")
    for turn in turns:
        # A stable sort: results keep their order, and so does the rest.
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return system, turns


def _add(turns: list[Message], role: str, blocks: list[Part]) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _blocks(message: Message, param: str) -> list[Part]:
    """Blocks of a message's content. A cache mark on the message itself goes to the last of them."""
    content = message.get("content")
    blocks: list[Part] = []
    if isinstance(content, str):
        blocks += from_part({"type": "text", "text": content}, f"{param}.content")
    elif content is not None:
        for place, part in enumerate(as_list(content, f"{param}.content")):
            blocks += from_part(part, f"{param}.content.{place}")
    if blocks:
        with_cache_mark(blocks[-1], message)
    return blocks


def _only_text(blocks: list[Part], param: str) -> list[Part]:
    if any(block["type"] != "text" for block in blocks):
        raise Untranslatable(f"{param}.content", "only text is expected here")
    return blocks


def _result_block(message: Message, param: str) -> Part:
    result: Part = {
        "type": "tool_result",
        "tool_use_id": call_id(message.get("tool_call_id"), f"{param}.tool_call_id"),
    }
    if blocks := _blocks({"content": message.get("content")}, param):
        result["content"] = blocks
    if message.get("is_error") is True:
        result["is_error"] = True
    return with_cache_mark(result, message)


def _assistant_blocks(message: Message, param: str) -> list[Part]:
    """Thinking first, then words, then calls. Thinking that nobody signed is left out: Anthropic would refuse it."""
    blocks: list[Part] = []
    if message.get("thinking_blocks") is not None:
        for place, value in enumerate(as_list(message["thinking_blocks"], f"{param}.thinking_blocks")):
            block_param = f"{param}.thinking_blocks.{place}"
            block = kept_block(as_object(value, block_param), block_param)
            if block["type"] == "redacted_thinking" or block["signature"]:
                blocks.append(block)
    blocks += _only_text(_blocks(message, param), param)
    if message.get("refusal") is not None and not blocks:
        blocks += from_part({"type": "refusal", "refusal": message["refusal"]}, param)
    if message.get("function_call") is not None:
        raise Untranslatable(f"{param}.function_call", "only tool_calls have an equivalent")
    if message.get("tool_calls") is not None:
        for place, call in enumerate(as_list(message["tool_calls"], f"{param}.tool_calls")):
            blocks.append(call_from_chat(call, f"{param}.tool_calls.{place}"))
    return blocks


def _trim_prefill(turns: list[Message]) -> None:
    """Anthropic refuses an answer to continue that ends in white space."""
    if not turns:
        return
    last = turns[-1]["content"][-1]
    if turns[-1]["role"] == "assistant" and last["type"] == "text":
        last["text"] = last["text"].rstrip()

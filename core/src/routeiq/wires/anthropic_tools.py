"""Tools: their definitions, the choice among them, and single calls, from Anthropic's words to chat JSON and back.

Where calls and their results stand in a conversation is for `anthropic_turns`.
"""

from __future__ import annotations

import re
from typing import Any

from routeiq.wires.anthropic_blocks import with_cache_mark
from routeiq.wires.reading import (
    Untranslatable,
    as_bool,
    as_list,
    as_object,
    as_text,
    json_text,
    looked_up,
    object_in_text,
)

_CHOICE_TO_CHAT = {"auto": "auto", "any": "required", "none": "none"}
_CHOICE_FROM_CHAT = {chat: anthropic for anthropic, chat in _CHOICE_TO_CHAT.items()}
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def tools_to_chat(tools: object) -> list[dict[str, Any]]:
    """Function tools for Anthropic's custom tools. Tools that the provider itself runs or defines have none."""
    found = []
    for place, value in enumerate(as_list(tools, "tools")):
        param = f"tools.{place}"
        tool = as_object(value, param)
        if (kind := tool.get("type")) not in (None, "custom"):
            raise Untranslatable(f"{param}.type", f"a tool of type {kind!r:.40} has no equivalent on the chat wire")
        function: dict[str, Any] = {"name": as_text(tool.get("name"), f"{param}.name")}
        if tool.get("description") is not None:
            function["description"] = as_text(tool["description"], f"{param}.description")
        function["parameters"] = as_object(tool.get("input_schema"), f"{param}.input_schema")
        if tool.get("strict") is not None:
            function["strict"] = as_bool(tool["strict"], f"{param}.strict")
        found.append(with_cache_mark({"type": "function", "function": function}, tool))
    return found


def tools_from_chat(tools: object) -> list[dict[str, Any]]:
    found = []
    for place, value in enumerate(as_list(tools, "tools")):
        param = f"tools.{place}"
        tool = as_object(value, param)
        if tool.get("type") != "function":
            raise Untranslatable(f"{param}.type", "only tools of type function have an equivalent")
        function = as_object(tool.get("function"), f"{param}.function")
        translated: dict[str, Any] = {"name": as_text(function.get("name"), f"{param}.function.name")}
        if function.get("description") is not None:
            translated["description"] = as_text(function["description"], f"{param}.function.description")
        parameters = function.get("parameters")
        schema = {"properties": {}} if parameters is None else as_object(parameters, f"{param}.function.parameters")
        translated["input_schema"] = {"type": "object", **schema}
        if function.get("strict") is not None:
            translated["strict"] = as_bool(function["strict"], f"{param}.function.strict")
        found.append(with_cache_mark(translated, tool))
    return found


def choice_to_chat(value: object) -> dict[str, Any]:
    """Chat fields for Anthropic's `tool_choice`: `tool_choice`, and `parallel_tool_calls` when that is switched off."""
    choice = as_object(value, "tool_choice")
    fields: dict[str, Any] = {}
    if choice.get("type") == "tool":
        name = as_text(choice.get("name"), "tool_choice.name")
        fields["tool_choice"] = {"type": "function", "function": {"name": name}}
    else:
        fields["tool_choice"] = looked_up(_CHOICE_TO_CHAT, choice.get("type"), "tool_choice.type")
    if choice.get("disable_parallel_tool_use") is not None:
        one_call = as_bool(choice["disable_parallel_tool_use"], "tool_choice.disable_parallel_tool_use")
        if one_call:
            fields["parallel_tool_calls"] = False
    return fields


def choice_from_chat(choice: object, parallel: object) -> dict[str, Any] | None:
    """Anthropic's `tool_choice` for the two chat fields, None when both leave it to the default."""
    one_call = parallel is not None and not as_bool(parallel, "parallel_tool_calls")
    if choice is None and not one_call:
        return None
    if isinstance(choice, dict):
        if choice.get("type") != "function":
            raise Untranslatable("tool_choice.type", "only a choice of type function has an equivalent")
        function = as_object(choice.get("function"), "tool_choice.function")
        translated: dict[str, Any] = {
            "type": "tool",
            "name": as_text(function.get("name"), "tool_choice.function.name"),
        }
    else:
        translated = {"type": looked_up(_CHOICE_FROM_CHAT, "auto" if choice is None else choice, "tool_choice")}
    if one_call and translated["type"] != "none":
        translated["disable_parallel_tool_use"] = True
    return translated


def call_to_chat(block: dict[str, Any], param: str) -> dict[str, Any]:
    """The chat tool call of a `tool_use` block."""
    arguments = as_object(block.get("input"), f"{param}.input")
    return with_cache_mark(
        {
            "id": as_text(block.get("id"), f"{param}.id"),
            "type": "function",
            "function": {
                "name": as_text(block.get("name"), f"{param}.name"),
                "arguments": json_text(arguments, f"{param}.input"),
            },
        },
        block,
    )


def call_from_chat(value: object, param: str) -> dict[str, Any]:
    """The `tool_use` block of a chat tool call."""
    call = as_object(value, param)
    if call.get("type") not in (None, "function"):
        raise Untranslatable(f"{param}.type", "only calls of type function have an equivalent")
    function = as_object(call.get("function"), f"{param}.function")
    arguments = function.get("arguments")
    return with_cache_mark(
        {
            "type": "tool_use",
            "id": call_id(call.get("id"), f"{param}.id"),
            "name": as_text(function.get("name"), f"{param}.function.name"),
            "input": {} if arguments is None else object_in_text(arguments, f"{param}.function.arguments"),
        },
        call,
    )


def call_id(value: object, param: str) -> str:
    """A call's id in the letters Anthropic allows. Some providers write `functions.name:0`."""
    return _NOT_IN_AN_ID.sub("_", as_text(value, param))

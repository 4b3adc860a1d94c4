"""Prompts and answers, for operators who want them, are messages of roles and parts as the conventions say."""

from __future__ import annotations

import json
from typing import Any

from routeiq_otel.taking import Taken

from .collector import told
from .requests import exported, request

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}


def content(**fields: Any) -> dict[str, Any]:
    (server,) = exported(Taken(request(), True, **fields)).servers()
    wanted = ("input.messages", "output.messages", "system_instructions", "tool.definitions")
    attributes = told(server.attributes)
    return {name: json.loads(attributes[f"gen_ai.{name}"]) for name in wanted if f"gen_ai.{name}" in attributes}


def said(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "content": value}


def test_without_texts_there_are_no_such_attributes() -> None:
    assert content() == {}


def test_a_chat_with_tools() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]
    answer = {"choices": [{"message": {"role": "assistant", "content": "Rain."}, "finish_reason": "stop"}]}
    found = content(prompt={"messages": messages, "tools": [TOOL]}, answer=answer, wire="openai-chat")
    assert found["input.messages"] == [
        said("system", text("Be brief.")),
        said("user", text("Hi"), {"type": "image_url"}),
        said("assistant", {"type": "tool_call", "id": "c1", "name": "weather", "arguments": '{"city":"Oslo"}'}),
        said("tool", {"type": "tool_call_response", "id": "c1", "response": "rain"}),
    ]
    assert found["output.messages"] == [{**said("assistant", text("Rain.")), "finish_reason": "stop"}]
    assert found["tool.definitions"] == [TOOL]


def test_a_chat_whose_only_field_is_its_messages() -> None:
    found = content(prompt=[{"role": "user", "content": "Hi"}], answer="Hello", wire="openai-chat")
    assert found == {
        "input.messages": [said("user", text("Hi"))],
        "output.messages": [{**said("assistant", text("Hello")), "finish_reason": "stop"}],
    }


def test_an_anthropic_message() -> None:
    use = {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Oslo"}}
    prompt = {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {
                "role": "assistant",
                "content": [use],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "rain"}]},
        ],
    }
    answer = {"content": [{"type": "text", "text": "Rain."}], "stop_reason": "end_turn", "role": "assistant"}
    found = content(prompt=prompt, answer=answer, wire="anthropic-messages")
    assert found["system_instructions"] == [text("Be brief.")]
    assert found["input.messages"] == [
        said("assistant", {"type": "tool_call", "id": "t", "name": "weather", "arguments": {"city": "Oslo"}}),
        said("user", {"type": "tool_call_response", "id": "t", "response": "rain"}),
    ]
    assert found["output.messages"] == [{**said("assistant", text("Rain.")), "finish_reason": "end_turn"}]


def test_completions_and_embeddings() -> None:
    answer = {"choices": [{"text": " upon", "finish_reason": "length"}]}
    found = content(prompt="Once", answer=answer, wire="openai-completion")
    assert found["input.messages"] == [said("user", text("Once"))]
    assert found["output.messages"] == [{**said("assistant", text(" upon")), "finish_reason": "length"}]
    assert content(prompt=["a", "b"], wire="openai-embedding")["input.messages"] == [
        said("user", text("a")),
        said("user", text("b")),
    ]


def test_nonsense_is_told_as_it_is() -> None:
    found = content(prompt={"messages": [7, {"role": "user", "content": {"x": 1}}, "hi"], "system": None}, answer=[1])
    assert len(found["input.messages"]) == 3
    assert found["output.messages"] == []

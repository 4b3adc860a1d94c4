"""Promises of request translation, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from anthropic.types import message_create_params
from openai.types.chat import completion_create_params
from pydantic import TypeAdapter

from routeiq.wires import anthropic_requests
from routeiq.wires.anthropic_requests import DEFAULT_MAX_TOKENS, JSON_OBJECT_WISH
from routeiq.wires.extensions import without_extensions
from routeiq.wires.reading import Untranslatable

Transcript = Callable[[str], dict[str, Any]]
ASK = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "fn", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "fn", "parameters": {"type": "object"}}}


def from_chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    adaptive = fields.pop("adaptive_thinking", False)
    request = {"model": "m", "messages": list(messages) or [ASK], **fields}
    before = orjson.dumps(request)
    body = anthropic_requests.from_chat(request, adaptive_thinking=adaptive)
    TypeAdapter(message_create_params.MessageCreateParamsNonStreaming).validate_python(
        {name: value for name, value in body.items() if name != "stream"}
    )
    assert orjson.dumps(request) == before, "the request was changed"
    return body


def to_chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    request = {"model": "m", "max_tokens": 9, "messages": list(messages) or [ASK], **fields}
    before = orjson.dumps(request)
    body = anthropic_requests.to_chat(request)
    TypeAdapter(completion_create_params.CompletionCreateParamsNonStreaming).validate_python(
        {name: value for name, value in body.items() if name != "stream"}
    )
    assert orjson.dumps(request) == before, "the request was changed"
    return body


def refused(translate: Callable[..., dict[str, Any]], *messages: dict[str, Any], **fields: Any) -> str | None:
    with pytest.raises(Untranslatable) as caught:
        translate(*messages, **fields)
    assert caught.value.status == 400
    return caught.value.param


@pytest.mark.parametrize("name", ["anthropic_request_to_chat", "chat_request_to_anthropic"])
def test_a_whole_conversation_is_translated_word_by_word(transcript: Transcript, name: str) -> None:
    pair = transcript(name)
    translate = anthropic_requests.to_chat if name.endswith("to_chat") else anthropic_requests.from_chat
    assert translate(pair["given"]) == pair["expected"]


def test_a_limit_is_always_sent_and_the_newer_name_wins() -> None:
    assert from_chat()["max_tokens"] == DEFAULT_MAX_TOKENS
    assert from_chat(max_tokens=7)["max_tokens"] == 7
    assert from_chat(max_tokens=7, max_completion_tokens=8)["max_tokens"] == 8


@pytest.mark.parametrize(
    ("chat", "anthropic"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "fn"}}, {"type": "tool", "name": "fn"}),
    ],
)
def test_every_tool_choice_has_its_word(chat: Any, anthropic: dict[str, Any]) -> None:
    assert from_chat(tools=[TOOL], tool_choice=chat)["tool_choice"] == anthropic
    assert to_chat(tool_choice=anthropic)["tool_choice"] == chat
    one_call = {**anthropic, "disable_parallel_tool_use": True}
    no_two = from_chat(tools=[TOOL], tool_choice=chat, parallel_tool_calls=False)["tool_choice"]
    if anthropic["type"] == "none":
        assert no_two == anthropic
    else:
        assert no_two == one_call
        assert to_chat(tool_choice=one_call)["parallel_tool_calls"] is False


def test_a_tool_choice_without_tools_is_left_out() -> None:
    assert "tool_choice" not in from_chat(tool_choice="none", parallel_tool_calls=True)


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "between_tools"}}, "none"),
        ({"thinking": {"type": "adaptive"}}, "medium"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, "xhigh"),
        ({"output_config": {"effort": "low"}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 32000}}, "high"),
    ],
)
def test_thinking_becomes_the_documented_effort(fields: dict[str, Any], effort: str | None) -> None:
    assert to_chat(**fields).get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("effort", "budget"),
    [("minimal", 1024), ("low", 1024), ("medium", 2048), ("high", 4096), ("xhigh", 8192), ("max", 16384)],
)
def test_an_effort_becomes_the_documented_budget_on_top_of_the_default_limit(effort: str, budget: int) -> None:
    body = from_chat(reasoning_effort=effort, temperature=0.3, top_k=5)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert body["max_tokens"] == DEFAULT_MAX_TOKENS + budget
    assert "temperature" not in body
    assert "top_k" not in body


def test_a_budget_leaves_half_of_the_clients_limit_for_the_answer() -> None:
    assert from_chat(reasoning_effort="high", max_tokens=3000)["thinking"]["budget_tokens"] == 1500
    small = from_chat(reasoning_effort="high", max_tokens=2000, temperature=0.3)
    assert "thinking" not in small
    assert small["temperature"] == 0.3


def test_a_model_that_decides_itself_gets_the_effort() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    body = from_chat(reasoning_effort="minimal", adaptive_thinking=True, response_format=schema)
    assert body["thinking"] == {"type": "adaptive"}
    assert body["output_config"]["effort"] == "low"
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert body["max_tokens"] == DEFAULT_MAX_TOKENS
    assert from_chat(reasoning_effort="none", adaptive_thinking=True)["thinking"] == {"type": "disabled"}


def test_an_effort_yields_where_anthropic_forbids_thinking() -> None:
    forced = {"tools": [TOOL], "tool_choice": "required", "reasoning_effort": "low"}
    assert "thinking" not in from_chat(**forced)
    assert "thinking" not in from_chat(**forced, adaptive_thinking=True)
    assert "thinking" not in from_chat(ASK, {"role": "assistant", "content": "So"}, reasoning_effort="low")
    lost: list[dict[str, Any]] = [
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ]
    assert "thinking" not in from_chat(ASK, *lost, reasoning_effort="low")
    signed = [{"type": "thinking", "thinking": "t", "signature": "s"}]
    kept = [{**lost[0], "thinking_blocks": signed}, lost[1]]
    assert "thinking" in from_chat(ASK, *kept, reasoning_effort="low")


def test_explicit_thinking_goes_through_as_it_is() -> None:
    wanted = {"type": "enabled", "budget_tokens": 5000}
    body = from_chat(thinking=wanted, reasoning_effort="low")
    assert body["thinking"] == wanted
    assert body["max_tokens"] == DEFAULT_MAX_TOKENS + 5000
    assert from_chat(thinking=wanted, max_tokens=6000)["max_tokens"] == 6000


def test_json_without_a_schema_is_asked_for_in_words() -> None:
    assert from_chat(response_format={"type": "json_object"})["system"] == [{"type": "text", "text": JSON_OBJECT_WISH}]
    assert "system" not in from_chat(response_format={"type": "text"})


def test_a_temperature_is_brought_into_anthropics_range() -> None:
    assert from_chat(temperature=1.7)["temperature"] == 1.0
    assert from_chat(temperature=0)["temperature"] == 0


def test_a_prefilled_answer_ends_without_white_space() -> None:
    body = from_chat(ASK, {"role": "assistant", "content": "So, \n"})
    assert body["messages"][-1]["content"] == [{"type": "text", "text": "So,"}]


def test_a_cache_mark_on_a_message_goes_to_its_last_block() -> None:
    mark = {"type": "ephemeral"}
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    body = from_chat({"role": "user", "content": parts, "cache_control": mark})
    assert [block.get("cache_control") for block in body["messages"][0]["content"]] == [None, mark]
    result = {"role": "tool", "tool_call_id": "call_1", "content": "x", "cache_control": mark}
    body = from_chat(ASK, {"role": "assistant", "tool_calls": [CALL]}, result)
    assert body["messages"][2]["content"][0]["cache_control"] == mark
    assert "cache_control" not in body["messages"][2]["content"][0]["content"][0]


def test_documents_and_search_results_become_text_where_that_is_all_they_are() -> None:
    content = [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]
    blocks = [
        {"type": "document", "title": "T", "context": "C", "source": {"type": "content", "content": content}},
        {"type": "document", "source": {"type": "content", "content": "plain"}},
        {"type": "search_result", "title": "R", "source": "https://r.example", "content": content},
    ]
    chat = to_chat({"role": "user", "content": blocks})
    texts = [part["text"] for part in chat["messages"][0]["content"]]
    assert texts == ["T\nC", "first", "second", "plain", "R\nhttps://r.example\nfirst\nsecond"]


def test_a_system_message_in_the_middle_stays_there_for_chat_and_goes_ahead_for_anthropic() -> None:
    chat = to_chat(ASK, {"role": "system", "content": "Be brief."}, ASK)
    assert [message["role"] for message in chat["messages"]] == ["user", "system", "user"]
    body = from_chat(*chat["messages"])
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert len(body["messages"]) == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"stop": ["\n"]}, "stop"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools.0.type"),
        ({"tools": [TOOL], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.type"),
        ({"reasoning_effort": "heroic"}, "reasoning_effort"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"temperature": True}, "temperature"),
    ],
)
def test_a_chat_field_without_an_equivalent_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(from_chat, **fields) == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "content.0.type"),
        ({"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}, "content.0.file"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
            "content.0.image_url.url",
        ),
        ({"role": "system", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}, "content"),
        ({"role": "function", "name": "f", "content": "x"}, "role"),
        ({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "fn", "arguments": "[1]"}}]},
            "tool_calls.0.function.arguments",
        ),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "fn", "arguments": '{"a":' * 500}}]},
            "tool_calls.0.function.arguments",
        ),
        ({"role": "tool", "content": "x"}, "tool_call_id"),
    ],
)
def test_a_chat_message_without_an_equivalent_is_refused_by_its_path(message: dict[str, Any], param: str) -> None:
    assert refused(from_chat, ASK, message) == f"messages.1.{param}"


def test_a_conversation_without_a_turn_is_refused() -> None:
    assert refused(from_chat, {"role": "system", "content": "alone"}) == "messages"
    assert refused(from_chat, {"role": "user", "content": " \n"}) == "messages"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0.type"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{"url": "u"}]}, "mcp_servers"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"tool_choice": {"type": "all"}}, "tool_choice.type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": [{"type": "server_tool_use"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "container_upload"}]}]}, "messages.0.content.0.type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]},
            "messages.0.content.0.source.type",
        ),
    ],
)
def test_an_anthropic_field_without_an_equivalent_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(to_chat, **fields) == param


def test_extensions_are_left_out_for_a_server_that_refuses_them(transcript: Transcript) -> None:
    chat = transcript("anthropic_request_to_chat")["expected"]
    before = orjson.dumps(chat)
    plain = orjson.dumps(without_extensions(chat))
    for word in (b"cache_control", b"thinking_blocks", b"reasoning_content", b"is_error", b"top_k"):
        assert word in before
        assert word not in plain
    assert orjson.dumps(chat) == before
    assert without_extensions({"messages": [7, {"content": [7]}], "tools": "x"}) == {
        "messages": [7, {"content": [7]}],
        "tools": "x",
    }

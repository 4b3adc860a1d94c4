"""Promises of whole answers, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from anthropic.types import Message, StopReason
from openai.types.chat import ChatCompletion

from routeiq.wires import anthropic_answers
from routeiq.wires.reading import Untranslatable

Transcript = Callable[[str], dict[str, Any]]


def chat_answer(finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "hi", **message}
    return {"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "message": said, "finish_reason": finish}]}


def anthropic_answer(stop: str | None = "end_turn", **fields: Any) -> dict[str, Any]:
    return {"id": "msg", "model": "m", "content": [{"type": "text", "text": "hi"}], "stop_reason": stop, **fields}


def test_a_whole_message_becomes_a_chat_completion(transcript: Transcript) -> None:
    pair = transcript("anthropic_answer_to_chat")
    completion = anthropic_answers.to_chat(pair["given"])
    assert ChatCompletion.model_validate(completion, strict=True).created > 0
    del completion["created"]
    assert completion == pair["expected"]


def test_a_whole_chat_completion_becomes_a_message(transcript: Transcript) -> None:
    pair = transcript("chat_answer_to_anthropic")
    message = anthropic_answers.from_chat(pair["given"], "asked-name")
    Message.model_validate(message, strict=True)
    assert message == pair["expected"]


STOPS = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "model_context_window_exceeded": "length",
}


def test_every_reason_to_stop_that_anthropic_has_is_known() -> None:
    assert set(get_args(StopReason)) == set(STOPS)
    for stop, finish in STOPS.items():
        choice = ChatCompletion.model_validate(anthropic_answers.to_chat(anthropic_answer(stop))).choices[0]
        assert choice.finish_reason == finish
    assert anthropic_answers.finish_reason("a word of tomorrow") == "stop"
    assert anthropic_answers.finish_reason(None) == "stop"


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("content_filter", "refusal"),
        ("eos", "end_turn"),
        (None, "end_turn"),
    ],
)
def test_every_finish_reason_has_its_word(finish: str | None, stop: str) -> None:
    assert anthropic_answers.from_chat(chat_answer(finish), "m")["stop_reason"] == stop


def test_calls_count_more_than_a_server_that_says_stop() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert anthropic_answers.from_chat(chat_answer("stop", tool_calls=[call]), "m")["stop_reason"] == "tool_use"
    assert anthropic_answers.from_chat(chat_answer("length", tool_calls=[call]), "m")["stop_reason"] == "max_tokens"


def test_a_refusal_keeps_its_words() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not this."}
    chat = anthropic_answers.to_chat(anthropic_answer("refusal", content=[], stop_details=details))
    assert chat["choices"][0]["message"]["refusal"] == "Not this."
    assert chat["choices"][0]["finish_reason"] == "content_filter"
    back = anthropic_answers.from_chat(chat, "m")
    assert back["content"] == [{"type": "text", "text": "Not this."}]
    assert back["stop_reason"] == "refusal"


def test_missing_usage_is_absent_for_chat_and_zero_where_anthropic_demands_it() -> None:
    assert "usage" not in anthropic_answers.to_chat(anthropic_answer())
    message = Message.model_validate(anthropic_answers.from_chat(chat_answer(), "m"), strict=True)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (0, 0)


def test_signed_thinking_survives_the_way_there_and_back() -> None:
    content = [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "hi"},
    ]
    back = anthropic_answers.from_chat(anthropic_answers.to_chat(anthropic_answer(content=content)), "m")
    assert back["content"] == content


def test_blocks_of_tools_the_provider_ran_are_left_out() -> None:
    content = [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, {"type": "text", "text": "x"}]
    assert anthropic_answers.to_chat(anthropic_answer(content=content))["choices"][0]["message"]["content"] == "x"


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{}]}, {"error": {"message": "x"}}, [], None])
def test_what_is_no_answer_is_said_to_be_none(answer: Any) -> None:
    for translate in (anthropic_answers.to_chat, lambda body: anthropic_answers.from_chat(body, "m")):
        with pytest.raises(Untranslatable):
            translate(answer)

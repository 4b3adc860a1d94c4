"""Chunks gathered into a completion say what the whole answer would have said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from routeiq.wires.anthropic_streams import AnthropicToChat
from routeiq.wires.gathering import Gathering

Json = dict[str, Any]


def gathered(*deltas: Json, **last: Any) -> Json:
    gathering = Gathering()
    for delta in deltas:
        gathering.add({"id": "c1", "created": 7, "model": "m", "choices": [{"index": 0, "delta": delta}]})
    if last:
        gathering.add({"id": "c2", "choices": [], **last})
    return gathering.completion()


def message(*deltas: Json) -> Any:
    return gathered(*deltas)["choices"][0]["message"]


def test_an_anthropic_stream_comes_out_whole(transcript: Callable[[str], Json]) -> None:
    reader, gathering = AnthropicToChat(), Gathering()
    told = transcript("anthropic_stream_to_chat")
    for event in told["given"]:
        for chunk in reader.feed(event):
            gathering.add(chunk)
    completion = gathering.completion()
    assert completion["usage"] == told["expected"]["usage"]
    assert completion["choices"] == [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "On it.",
                "reasoning_content": "Hm.",
                "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}],
                "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "bell", "arguments": '{"times":2}'}},
                    {"id": "toolu_2", "type": "function", "function": {"name": "door", "arguments": "{}"}},
                ],
            },
        }
    ]


def test_head_and_usage_are_those_of_the_chunks() -> None:
    assert gathered({"content": "hi"}, usage={"total_tokens": 3}) == {
        "id": "c1",
        "created": 7,
        "model": "m",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"total_tokens": 3},
    }


def test_fragments_of_calls_may_come_mixed_and_keep_what_the_provider_adds() -> None:
    def part(index: int, text: str, **more: Any) -> Json:
        return {"index": index, "function": {"arguments": text}, **more}

    first = {"index": 0, "id": "a", "type": "function", "function": {"name": "one", "arguments": ""}, "signed": "s"}
    second = {"index": 1, "id": "b", "type": "function", "function": {"name": "two", "arguments": "{"}}
    calls = message({"tool_calls": [first]}, {"tool_calls": [second, part(0, "{}")]}, {"tool_calls": [part(1, "}")]})
    assert [call["function"] for call in calls["tool_calls"]] == [
        {"name": "one", "arguments": "{}"},
        {"name": "two", "arguments": "{}"},
    ]
    assert [(call["id"], call.get("signed")) for call in calls["tool_calls"]] == [("a", "s"), ("b", None)]


def test_servers_that_number_no_call_are_understood() -> None:
    def part(text: str, **more: Any) -> Json:
        return {"tool_calls": [{"function": {"arguments": text, **more.pop("function", {})}, **more}]}

    calls = message(
        part("{", id="a", function={"name": "one"}), part("}"), part("{}", id="b", function={"name": "two"})
    )["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("a", "{}"), ("b", "{}")]


def test_a_signature_ends_its_thought() -> None:
    def thought(text: str, signature: str = "") -> Json:
        return {"thinking_blocks": [{"type": "thinking", "thinking": text, "signature": signature}]}

    hidden = {"type": "redacted_thinking", "data": "x"}
    blocks = message(
        thought("a"), thought("b"), thought("", "s1"), thought("c"), thought("", "s2"), {"thinking_blocks": [hidden]}
    )["thinking_blocks"]
    assert blocks == [
        {"type": "thinking", "thinking": "ab", "signature": "s1"},
        {"type": "thinking", "thinking": "c", "signature": "s2"},
        hidden,
    ]


def test_other_choices_are_left_out() -> None:
    gathering = Gathering()
    gathering.add({"choices": [{"index": 1, "delta": {"content": "no"}}, {"index": 0, "delta": {"content": "yes"}}]})
    assert gathering.completion()["choices"][0]["message"]["content"] == "yes"

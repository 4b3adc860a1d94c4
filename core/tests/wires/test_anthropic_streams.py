"""Promises of streams, in both directions: right order, nothing lost, and a cut that shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from pydantic import TypeAdapter

from routeiq.wires.anthropic_streams import AnthropicToChat, ChatToAnthropic
from routeiq.wires.reading import Untranslatable
from routeiq_sdk import Usage

Json = dict[str, Any]
Transcript = Callable[[str], dict[str, Any]]
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def to_chat(events: list[Json]) -> tuple[AnthropicToChat, list[Json]]:
    stream = AnthropicToChat()
    chunks = [chunk for event in events for chunk in stream.feed(event)]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return stream, chunks


def to_anthropic(chunks: list[Json], **end: Any) -> tuple[ChatToAnthropic, list[Json]]:
    stream = ChatToAnthropic("asked-name", input_tokens=18)
    named = [event for chunk in chunks for event in stream.feed(chunk)] + stream.end(**end)
    for name, event in named:
        assert name == event["type"]
        EVENT.validate_python(event)
    return stream, [event for _, event in named]


def chunk(delta: Json, finish: str | None = None) -> Json:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index: int | None, arguments: str | None = None, **more: Any) -> Json:
    function = ({"name": more.pop("name")} if "name" in more else {}) | (
        {"arguments": arguments} if arguments is not None else {}
    )
    return {**({} if index is None else {"index": index}), **more, "function": function}


def blocks_of(events: list[Json]) -> list[Json]:
    """What an Anthropic client puts together, while it checks that one block is open at a time, in running order."""
    blocks: list[Json] = []
    is_open = False
    for event in events:
        if event["type"] == "content_block_start":
            assert (event["index"], is_open) == (len(blocks), False)
            is_open = True
            blocks.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            assert (event["index"], is_open) == (len(blocks) - 1, True)
            for name in ("text", "thinking", "signature"):
                if name in event["delta"]:
                    blocks[-1][name] += event["delta"][name]
            blocks[-1]["json"] += event["delta"].get("partial_json", "")
        elif event["type"] == "content_block_stop":
            assert (event["index"], is_open) == (len(blocks) - 1, True)
            is_open = False
    assert not is_open
    return blocks


def test_a_whole_anthropic_stream_becomes_chunks(transcript: Transcript) -> None:
    pair = transcript("anthropic_stream_to_chat")
    stream, chunks = to_chat(pair["given"])
    assert stream.finished
    assert {(one["id"], one["model"]) for one in chunks} == {("msg_2", "claude-test")}
    *told, last = chunks
    assert [one["choices"][0]["delta"] for one in told] == pair["expected"]["deltas"]
    reasons = [one["choices"][0]["finish_reason"] for one in told]
    assert reasons == [None] * (len(told) - 1) + [pair["expected"]["finish_reason"]]
    assert (last["choices"], last["usage"]) == ([], pair["expected"]["usage"])


def test_a_whole_chat_stream_becomes_events(transcript: Transcript) -> None:
    pair = transcript("chat_stream_to_anthropic")
    stream, events = to_anthropic(pair["given"])
    assert stream.finished
    assert events == pair["expected"]


def test_a_stream_survives_the_way_to_chat_and_back(transcript: Transcript) -> None:
    given = transcript("anthropic_stream_to_chat")["given"]
    _, chunks = to_chat(given)
    _, events = to_anthropic(chunks)
    before, after = blocks_of(given), blocks_of(events)
    assert before[3]["json"] == ""
    before[3]["json"] = "{}"  # a call without arguments says so on the chat wire
    assert after == before
    assert events[-2]["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 15,
        "output_tokens": 30,
    }


@pytest.mark.parametrize("kept", range(19))
def test_a_cut_anthropic_stream_is_not_finished(transcript: Transcript, kept: int) -> None:
    given = transcript("anthropic_stream_to_chat")["given"]
    assert kept < len(given)
    stream, chunks = to_chat(given[:kept])
    assert not stream.finished
    assert all("usage" not in one for one in chunks)


@pytest.mark.parametrize("kept", range(9))
def test_a_cut_chat_stream_is_not_finished_and_has_no_end(transcript: Transcript, kept: int) -> None:
    given = transcript("chat_stream_to_anthropic")["given"]
    assert given[kept]["choices"], "beyond this place the stream is whole"
    stream, events = to_anthropic(given[:kept])
    assert not stream.finished
    assert all(event["type"] not in ("message_delta", "message_stop") for event in events)


def test_an_error_in_a_stream_is_kept_and_ends_it() -> None:
    stream, chunks = to_chat(
        [
            {"type": "message_start", "message": {"id": "m", "model": "m"}},
            {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
            {"type": "message_stop"},
        ]
    )
    assert stream.error == {"type": "overloaded_error", "message": "busy"}
    assert (stream.finished, len(chunks)) == (False, 1)
    back = ChatToAnthropic("m")
    assert back.feed({"error": {"message": "busy"}}) == []
    assert back.error == {"message": "busy"}
    assert back.end() == []


def test_a_refusal_in_a_stream_keeps_its_words() -> None:
    delta = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "Not this."}}
    _, chunks = to_chat([{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}])
    assert chunks[0]["choices"][0] == {
        "index": 0,
        "delta": {"refusal": "Not this."},
        "logprobs": None,
        "finish_reason": "content_filter",
    }


def test_redacted_thinking_is_a_block_of_its_own() -> None:
    redacted = {"type": "redacted_thinking", "data": "d"}
    _, chunks = to_chat([{"type": "content_block_start", "index": 0, "content_block": redacted}])
    assert chunks[0]["choices"][0]["delta"] == {"thinking_blocks": [redacted]}
    _, events = to_anthropic([*chunks, chunk({"content": "x"}), chunk({}, "stop")])
    assert [block["type"] for block in blocks_of(events)] == ["redacted_thinking", "text"]


def test_what_is_thought_after_a_signature_is_another_block() -> None:
    def thought(text: str, signature: str = "") -> Json:
        return chunk({"thinking_blocks": [{"type": "thinking", "thinking": text, "signature": signature}]})

    _, events = to_anthropic([thought("a"), thought("", "s1"), thought("b"), thought("", "s2"), chunk({}, "stop")])
    assert [(block["thinking"], block["signature"]) for block in blocks_of(events)] == [("a", "s1"), ("b", "s2")]


def test_a_compatible_server_may_send_the_whole_input_at_the_start() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    _, chunks = to_chat(
        [
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_stop"},
        ]
    )
    assert chunks[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    assert chunks[1]["choices"][0]["finish_reason"] == "tool_calls"


def test_input_of_tools_the_provider_runs_is_left_out() -> None:
    server = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    _, chunks = to_chat(
        [
            {"type": "content_block_start", "index": 0, "content_block": server},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
            {"type": "content_block_stop", "index": 0},
        ]
    )
    assert chunks == []


def test_interleaved_calls_are_put_in_order() -> None:
    deltas = [
        [call(0, "", id="a", name="fa")],
        [call(1, "", id="b", name="fb")],
        [call(1, '{"b":')],
        [call(0, '{"a":'), call(1, "{}}")],
        [call(0, "{}}")],
        [call(1, "")],
    ]
    _, events = to_anthropic([*(chunk({"tool_calls": one}) for one in deltas), chunk({}, "stop")])
    assert [(block["id"], block["json"]) for block in blocks_of(events)] == [("a", '{"a":{}}'), ("b", '{"b":{}}')]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_in_a_row_go_out_as_they_come() -> None:
    stream = ChatToAnthropic("m")
    stream.feed(chunk({"tool_calls": [call(0, '{"a":1}', id="a", name="f")]}))
    names = [name for name, _ in stream.feed(chunk({"tool_calls": [call(1, "{", id="b", name="f")]}))]
    assert names == ["content_block_stop", "content_block_start", "content_block_delta"]


def test_calls_without_index_or_id_are_told_apart() -> None:
    deltas = [call(None, '{"a":', id="a", name="f"), call(None, "1}"), call(None, "{}", id="b", name="f")]
    _, events = to_anthropic([*(chunk({"tool_calls": [one]}) for one in deltas), chunk({}, "tool_calls")])
    assert [(block["id"], block["json"]) for block in blocks_of(events)] == [("a", '{"a":1}'), ("b", "{}")]


def test_a_call_has_an_id_in_the_letters_anthropic_allows() -> None:
    for given, told in ((None, "toolu_c_0"), ("functions.f:0", "functions_f_0")):
        _, events = to_anthropic([chunk({"tool_calls": [call(0, "{}", id=given, name="f")]}), chunk({}, "stop")])
        assert blocks_of(events)[0]["id"] == told


def test_words_after_calls_close_them_and_late_arguments_are_an_error() -> None:
    stream = ChatToAnthropic("m")
    stream.feed(chunk({"tool_calls": [call(0, "{", id="a", name="f")]}))
    assert [name for name, _ in stream.feed(chunk({"content": "x"}))][:2] == [
        "content_block_stop",
        "content_block_start",
    ]
    with pytest.raises(Untranslatable):
        stream.feed(chunk({"tool_calls": [call(0, "}")]}))


def test_usage_the_provider_did_not_send_is_the_callers_estimate() -> None:
    given = [chunk({"content": "x"}), chunk({}, "length")]
    _, events = to_anthropic(given, estimated=Usage(7, 3, estimated=True))
    assert events[-2]["usage"]["output_tokens"] == 3
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"
    _, events = to_anthropic(given)
    assert events[-2]["usage"]["input_tokens"] == 18


def test_only_the_first_choice_is_told() -> None:
    other = {"id": "c", "choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]}
    stream, events = to_anthropic([other])
    assert not stream.finished
    assert [event["type"] for event in events] == ["message_start"]

"""Properties: what both wires can say survives the way there and back."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from routeiq.wires import anthropic_answers, anthropic_requests
from routeiq.wires.anthropic_streams import AnthropicToChat, ChatToAnthropic

Json = dict[str, Any]
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda text: text.strip() == text)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
INPUTS = st.dictionaries(NAMES, st.integers(-9, 9) | WORDS | st.lists(WORDS, max_size=2), max_size=3)
TEXTS = WORDS.map(lambda text: {"type": "text", "text": text})
IMAGES = st.sampled_from(["https://i.example/a.png", "data:image/png;base64,aW1n"]).map(
    lambda url: {"type": "image_url", "image_url": {"url": url}}
)
SIGNED = st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "c2ln"}, WORDS)


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    messages: list[Json] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(WORDS)})
    ids = 0
    for _ in range(draw(st.integers(1, 4))):
        parts = draw(st.lists(TEXTS | IMAGES, min_size=2, max_size=3))
        messages.append({"role": "user", "content": draw(st.just(parts) | WORDS)})
        answer: Json = {"role": "assistant", "content": draw(WORDS)}
        if thinking := draw(st.lists(SIGNED, max_size=2)):
            answer["thinking_blocks"] = thinking
            answer["reasoning_content"] = "".join(block["thinking"] for block in thinking)
        messages.append(answer)
        calls = draw(st.lists(st.tuples(NAMES, INPUTS, WORDS), max_size=3))
        if calls:
            answer["tool_calls"] = []
            for name, given, result in calls:
                ids += 1
                function = {"name": name, "arguments": orjson.dumps(given).decode()}
                answer["tool_calls"].append({"id": f"call_{ids}", "type": "function", "function": function})
                messages.append({"role": "tool", "tool_call_id": f"call_{ids}", "content": result})
    messages.append({"role": "user", "content": draw(WORDS)})
    return messages


@st.composite
def requests(draw: st.DrawFn) -> Json:
    request: Json = {"model": draw(WORDS), "messages": draw(conversations()), "max_tokens": draw(st.integers(1, 9999))}
    optional = {
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "stop": st.lists(WORDS, min_size=1, max_size=3),
        "user": WORDS,
    }
    for name, values in optional.items():
        if draw(st.booleans()):
            request[name] = draw(values)
    if draw(st.booleans()):
        function = {"name": draw(NAMES), "description": draw(WORDS), "parameters": {"type": "object", "x": draw(WORDS)}}
        request["tools"] = [{"type": "function", "function": function}]
        request["tool_choice"] = draw(
            st.sampled_from(["auto", "required", "none", {"type": "function", "function": {"name": "f"}}])
        )
        if request["tool_choice"] != "none" and draw(st.booleans()):
            request["parallel_tool_calls"] = False
    return request


def merged(messages: list[Json]) -> list[Json]:
    """Messages as they come back: users in a row are one turn, for Anthropic knows no others."""
    found: list[Json] = []
    for message in messages:
        if message["role"] == "user" and found and found[-1]["role"] == "user":
            both = [found[-1]["content"], message["content"]]
            found[-1] = {"role": "user", "content": [part for content in both for part in parts_of(content)]}
        else:
            found.append(message)
    return found


def parts_of(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


@given(request=requests())
def test_a_chat_request_survives_the_way_to_anthropic_and_back(request: Json) -> None:
    there = anthropic_requests.from_chat(request)
    back = anthropic_requests.to_chat(there)
    assert back == {**request, "messages": merged(request["messages"])}
    assert anthropic_requests.from_chat(back) == there


@given(
    text=WORDS,
    thinking=st.lists(SIGNED, max_size=2),
    calls=st.lists(st.tuples(NAMES, INPUTS), max_size=3),
    counts=st.tuples(*[st.integers(0, 999)] * 4),
)
def test_an_anthropic_answer_survives_the_way_to_chat_and_back(
    text: str, thinking: list[Json], calls: list[tuple[str, Json]], counts: tuple[int, int, int, int]
) -> None:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    uses = [{"type": "tool_use", "id": f"t{i}", "name": name, "input": given} for i, (name, given) in enumerate(calls)]
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [*thinking, {"type": "text", "text": text}, *uses],
        "stop_reason": "tool_use" if uses else "end_turn",
        "stop_sequence": None,
        "usage": dict(zip(names, counts, strict=True)),
    }
    assert anthropic_answers.from_chat(anthropic_answers.to_chat(message), "m") == message


@given(
    pieces=st.lists(
        st.tuples(st.just("content"), WORDS)
        | st.tuples(st.just("reasoning_content"), WORDS)
        | st.tuples(st.just("tool_calls"), INPUTS),
        max_size=8,
    ),
    finish=st.sampled_from(["stop", "length", "content_filter"]),
)
def test_a_chat_stream_says_the_same_after_the_way_to_anthropic_and_back(pieces: list[Any], finish: str) -> None:
    chunks: list[Json] = []
    calls = 0
    for kind, value in pieces:
        delta: Json = {kind: value}
        if kind == "tool_calls":
            function = {"name": "f", "arguments": orjson.dumps(value).decode()}
            delta = {"tool_calls": [{"index": calls, "id": f"c{calls}", "type": "function", "function": function}]}
            calls += 1
        chunks.append({"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    reason = "tool_calls" if calls and finish == "stop" else finish
    chunks.append({"id": "x", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    there, back = ChatToAnthropic("m"), AnthropicToChat()
    events = [event for chunk in chunks for event in there.feed(chunk)] + there.end()
    returned = [chunk for _, event in events for chunk in back.feed(event)]
    assert there.finished
    assert back.finished
    assert said_in(returned) == said_in(chunks)


def said_in(chunks: list[Json]) -> tuple[str, str, list[tuple[str, str]], str | None]:
    content = reasoning = ""
    calls: list[tuple[str, str]] = []
    reason = None
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            content += delta.get("content") or ""
            reasoning += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", []):
                if "id" in call:
                    calls.append((call["id"], ""))
                calls[-1] = (calls[-1][0], calls[-1][1] + call["function"]["arguments"])
            reason = choice["finish_reason"] or reason
    return content, reasoning, calls, reason

"""Streams as they pass: how they were cut makes no difference, content is never touched, filters lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq.errors import UpstreamError
from routeiq.request import frames
from routeiq.request.pieces import TEXTS
from routeiq.request.relay import Relay
from routeiq.request.stream_guard import Stopped, StreamGuard
from routeiq.surfaces.chat import ChatSurface
from routeiq.surfaces.completions import CompletionSurface
from routeiq.surfaces.messages import MessageSurface
from routeiq.wires import sse
from routeiq_sdk import Deployment, Price, Stop

DEPLOYMENT = Deployment(
    "d", "asked", "openai", "up-model", "openai", price=Price(input=1000, output=2000, cached=0, cache_write=0)
)
TRICKY = st.sampled_from(
    [
        "data: [DONE]",
        "\n\ndata: [DONE]\n\n",
        "event: message_stop",
        '"type":"message_stop"',
        '"model":"up-model"',
        '{"usage": {"prompt_tokens": 9}}',
        '"finish_reason":"stop"',
        'data: {"error": {"message": "x"}}',
        "event: error",
        "\r",
        "\u2028é😀",
        "",
    ]
)
PIECES = st.lists(TRICKY | st.text(max_size=8), max_size=5)


class Blocks:
    """A provider's stream, from the wire cut at these places."""

    def __init__(self, wire: str, whole: bytes, cuts: Sequence[int]) -> None:
        self.wire = wire
        self.headers: dict[str, str] = {}
        places = sorted({cut % (len(whole) + 1) for cut in cuts})
        self.chunks = [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]

    async def blocks(self) -> AsyncIterator[bytes]:
        splitter = sse.SseSplitter()
        for chunk in self.chunks:
            block = b"".join(splitter.feed(chunk))
            if block:
                yield block

    async def close(self) -> None: ...


def chat_events(pieces: Sequence[str], *, done: bool = True) -> bytes:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "up-model"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": text} for text in pieces)]
    events: list[Any] = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    events.append({**head, "choices": [], "usage": usage})
    whole = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)
    return whole + b"data: [DONE]\n\n" if done else whole


def message_events(pieces: Sequence[str]) -> bytes:
    usage = {"input_tokens": 3, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "up-model", "content": [], "usage": usage}
    events: list[tuple[str, dict[str, Any]]] = [
        ("message_start", {"message": message}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        *(("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": t}}) for t in pieces),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}}),
        ("message_stop", {}),
    ]
    return b"".join(sse.frame(orjson.dumps({"type": name, **fields}), name) for name, fields in events)


WIRES = {
    "openai-chat": (chat_events, ChatSurface()),
    "anthropic-messages": (message_events, MessageSurface()),
}


def relayed(
    wire: str, whole: bytes, cuts: Sequence[int], *, client: str | None = None, **how: Any
) -> tuple[bytes, Any]:
    """What the client got, and the relay (or the exception that ended it)."""
    out: list[bytes] = []

    async def take(block: bytes) -> None:
        out.append(block)

    how = {"wants_usage": True, "tell_cost": False, "guard": None, **how}

    async def run() -> Any:
        relay = Relay(Blocks(wire, whole, cuts), WIRES[client or wire][1], DEPLOYMENT, "asked", **how)
        try:
            await relay.run(take)
        except Exception as error:
            return error
        return relay

    ended = asyncio.run(run())
    return b"".join(out), ended


def documents(out: bytes) -> list[dict[str, Any]]:
    return [document for raw in sse.frames(out) if (document := frames.parse(raw).document) is not None]


def text_of(wire: str, out: bytes) -> str:
    pieces = (piece for document in documents(out) for piece in TEXTS[wire].pieces(document))
    return "".join(piece.text for piece in pieces if piece.channel.part == "text")


CUTS = st.lists(st.integers(0, 4000), max_size=6)


@pytest.mark.parametrize("wire", WIRES)
@settings(max_examples=60, deadline=None)
@given(pieces=PIECES, cuts=CUTS)
def test_any_cut_gives_the_same_bytes_and_no_content_is_touched(wire: str, pieces: list[str], cuts: list[int]) -> None:
    whole = WIRES[wire][0](pieces)
    out, relay = relayed(wire, whole, cuts)
    assert isinstance(relay, Relay), relay
    assert out == relayed(wire, whole, [])[0]
    before = [
        orjson.dumps(document).replace(b'"model":"up-model"', b'"model":"asked"') for document in documents(whole)
    ]
    assert [orjson.dumps(document) for document in documents(out)] == before
    assert text_of(wire, out) == "".join(pieces)
    assert relay.passed.usage is not None
    assert (relay.passed.usage.input_tokens, relay.passed.usage.output_tokens) == (3, 4)


@pytest.mark.parametrize(
    ("wire", "client"), [("openai-chat", "anthropic-messages"), ("anthropic-messages", "openai-chat")]
)
@settings(max_examples=40, deadline=None)
@given(pieces=PIECES, cuts=CUTS)
def test_a_translated_stream_says_the_same_for_any_cut(
    wire: str, client: str, pieces: list[str], cuts: list[int]
) -> None:
    whole = WIRES[wire][0](pieces)
    out, relay = relayed(wire, whole, cuts, client=client)
    assert isinstance(relay, Relay), relay
    assert text_of(client, out) == "".join(pieces)
    assert frames.RULES[client].ends(out)
    assert relay.passed.usage is not None
    assert (relay.passed.usage.input_tokens, relay.passed.usage.output_tokens) == (3, 4)


@settings(max_examples=30, deadline=None)
@given(pieces=PIECES, cuts=CUTS, wants=st.booleans(), tell=st.booleans())
def test_the_usage_event_goes_to_who_asked_for_it_with_its_cost_where_the_profile_tells_it(
    pieces: list[str], cuts: list[int], wants: bool, tell: bool
) -> None:
    out, _ = relayed("openai-chat", chat_events(pieces), cuts, wants_usage=wants, tell_cost=tell)
    told = [document["usage"] for document in documents(out) if document.get("usage")]
    assert len(told) == wants
    if wants:
        assert told[0].get("cost") == (0.000011 if tell else None)


def test_a_thousand_usage_events_in_one_block_are_all_told() -> None:
    usage = orjson.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    whole = (b"data: " + usage + b"\n\n") * 3000 + b"data: [DONE]\n\n"
    out, relay = relayed("openai-chat", whole, [], tell_cost=True)
    assert isinstance(relay, Relay), relay
    assert out.count(b'"cost"') == 3000


def test_a_stream_that_only_lacks_its_formal_end_gets_it() -> None:
    out, relay = relayed("openai-chat", chat_events(["a"], done=False), [])
    assert isinstance(relay, Relay)
    assert out.endswith(b"data: [DONE]\n\n")


@settings(max_examples=30, deadline=None)
@given(pieces=PIECES, cuts=CUTS, kept=st.integers(1, 3))
def test_a_stream_that_breaks_off_is_told_apart_whatever_it_said(pieces: list[str], cuts: list[int], kept: int) -> None:
    whole = b"".join(list(sse.frames(chat_events(pieces)))[:-kept][: 1 + len(pieces)])
    out, ended = relayed("openai-chat", whole, cuts)
    assert isinstance(ended, UpstreamError)
    assert ended.kind == "cut"
    assert b"\ndata: [DONE]" not in out


@pytest.mark.parametrize("cuts", [[], list(range(0, 2000, 7))])
def test_what_came_before_an_error_event_is_passed_on_for_any_cut(cuts: list[int]) -> None:
    events = list(sse.frames(chat_events(["a", "b"])))[:3]
    whole = b"".join(events) + b'data: {"error": {"message": "no", "code": 503}}\n\n'
    out, ended = relayed("openai-chat", whole, cuts)
    assert isinstance(ended, UpstreamError)
    assert ended.status == 503
    assert text_of("openai-chat", out) == "ab"


class Holding:
    """Lets text out `lag` characters late, in upper case so that skipped text shows."""

    def __init__(self, lag: int) -> None:
        self.lag = lag
        self.held = ""

    def feed(self, delta: str) -> list[str] | Stop:
        self.held += delta
        ready = self.held[: max(0, len(self.held) - self.lag)]
        self.held = self.held[len(ready) :]
        return [ready] if ready else []

    def end(self) -> list[str] | Stop:
        return [self.held] if self.held else []


class Stopping:
    """Stops at a word, without ever letting a part of it out."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.held = ""

    def feed(self, delta: str) -> list[str] | Stop:
        self.held += delta
        if self.word in self.held:
            return Stop("the word")
        keep = len(self.word) - 1
        ready, self.held = self.held[:-keep], self.held[-keep:]
        return [ready] if ready else []

    def end(self) -> list[str] | Stop:
        return [self.held] if self.held else []


class Awaited:
    """A filter as the guard wants it: one that can be awaited."""

    def __init__(self, item: Holding | Stopping) -> None:
        self.item = item

    async def feed(self, delta: str) -> list[str] | Stop:
        return self.item.feed(delta)

    async def end(self) -> list[str] | Stop:
        return self.item.end()


def guarding(wire: str, make: Callable[[], Sequence[Holding | Stopping]], *parts: str) -> StreamGuard:
    """A guard of these parts of a stream, or of its text."""

    def filters(part: str) -> Any:
        return [Awaited(item) for item in make()] if part in (parts or ("text",)) else []

    return StreamGuard(filters, wire)


@pytest.mark.parametrize("wire", WIRES)
@settings(max_examples=50, deadline=None)
@given(pieces=PIECES, cuts=CUTS, lags=st.lists(st.integers(0, 30), min_size=1, max_size=3))
def test_filters_that_hold_text_back_lose_none_of_it(
    wire: str, pieces: list[str], cuts: list[int], lags: list[int]
) -> None:
    guard = guarding(wire, lambda: [Holding(lag) for lag in lags])
    out, relay = relayed(wire, WIRES[wire][0](pieces), cuts, guard=guard)
    assert isinstance(relay, Relay), relay
    assert text_of(wire, out) == "".join(pieces)
    assert frames.RULES[wire].ends(out)


@pytest.mark.parametrize("wire", WIRES)
@settings(max_examples=50, deadline=None)
@given(pieces=st.lists(st.sampled_from(["a", "b", "ab", "stop", "st", "op", ""]), max_size=8), cuts=CUTS)
def test_a_filter_stops_at_the_same_place_for_any_cut(wire: str, pieces: list[str], cuts: list[int]) -> None:
    def through(places: list[int]) -> tuple[bytes, Any]:
        guard = guarding(wire, lambda: [Stopping("stop")])
        return relayed(wire, WIRES[wire][0](pieces), places, guard=guard)

    (out, ended), (whole, same) = through(cuts), through([])
    assert out == whole
    said = "".join(pieces)
    if "stop" in said:
        assert isinstance(ended, Stopped)
        assert isinstance(same, Stopped)
        assert said[: said.index("stop")].startswith(text_of(wire, out))
        assert not frames.RULES[wire].ends(out)
    else:
        assert text_of(wire, out) == said


def test_each_text_block_gets_filters_of_its_own() -> None:
    made: list[Holding] = []

    def make() -> list[Holding]:
        made.append(Holding(100))
        return [made[-1]]

    first, second = (message_events([text]) for text in ("one", "two"))
    events = [*list(sse.frames(first))[:4], *list(sse.frames(second))[1:]]
    guard = guarding("anthropic-messages", make)
    out, relay = relayed("anthropic-messages", b"".join(events), [], guard=guard)
    assert isinstance(relay, Relay)
    assert text_of("anthropic-messages", out) == "onetwo"
    assert len(made) == 2
    texts = [d["delta"]["text"] for d in documents(out) if d["type"] == "content_block_delta"]
    assert texts == ["one", "two"]


def test_restamping_leaves_a_stream_alone_that_names_no_model() -> None:
    rewrite = frames.restamp("asked")
    assert rewrite(b'data: {"choices":[]}\n\n') == b'data: {"choices":[]}\n\n'
    assert rewrite(b'data: {"model" : "a \\" b"}\n\n') == b'data: {"model":"asked"}\n\n'
    assert rewrite(b'data: {"model" : "a \\" b", "x": 1}\n\n') == b'data: {"model":"asked", "x": 1}\n\n'


def test_the_text_completion_surface_is_filtered_on_its_own_field() -> None:
    event = {"choices": [{"index": 0, "text": "hello", "finish_reason": None}], "model": "up-model"}
    guard = guarding(CompletionSurface().wire, lambda: [Holding(3)])
    out = asyncio.run(guard.feed(sse.frame(orjson.dumps(event))))
    assert documents(out)[0]["choices"][0]["text"] == "he"
    assert documents(asyncio.run(guard.end()))[0]["choices"][0]["text"] == "llo"


def chunk(*choices: dict[str, Any]) -> bytes:
    return sse.frame(orjson.dumps({"id": "c", "object": "chat.completion.chunk", "choices": list(choices)}))


def delta(index: int = 0, finish: str | None = None, logprobs: Any = None, **fields: Any) -> dict[str, Any]:
    return {"index": index, "delta": fields, "finish_reason": finish, "logprobs": logprobs}


def call(arguments: str, number: int = 0) -> list[dict[str, Any]]:
    return [{"index": number, "function": {"arguments": arguments}}]


def through(guard: StreamGuard, *events: bytes) -> list[dict[str, Any]]:
    async def run() -> bytes:
        return b"".join([await guard.feed(event) for event in events]) + await guard.end()

    return documents(asyncio.run(run()))


def said(out: list[dict[str, Any]]) -> dict[tuple[str, int, str | int], str]:
    texts: dict[tuple[str, int, str | int], str] = {}
    for document in out:
        for piece in TEXTS["openai-chat"].pieces(document):
            texts[piece.channel] = texts.get(piece.channel, "") + piece.text
    return texts


def test_every_choice_and_every_call_is_filtered_on_its_own_and_loses_nothing() -> None:
    guard = guarding("openai-chat", lambda: [Holding(5)], "text", "reasoning", "refusal", "arguments")
    out = through(
        guard,
        chunk(delta(0, role="assistant", content="Hello "), delta(1, content="Other ")),
        chunk(delta(0, reasoning_content="I think that"), delta(1, content="choice")),
        chunk(delta(0, content="world"), delta(1, refusal="No, sorry")),
        chunk(delta(0, tool_calls=[*call('{"a": 1', 0), *call('{"b":', 1)])),
        chunk(delta(0, tool_calls=[*call("2}", 0), *call(" 3}", 1)])),
        chunk(delta(1, finish="stop")),
        chunk(delta(0, finish="tool_calls")),
    )
    assert said(out) == {
        ("text", 0, "content"): "Hello world",
        ("text", 1, "content"): "Other choice",
        ("reasoning", 0, "reasoning_content"): "I think that",
        ("refusal", 1, "refusal"): "No, sorry",
        ("arguments", 0, 0): '{"a": 12}',
        ("arguments", 0, 1): '{"b": 3}',
    }
    assert out[0]["choices"][0]["delta"]["role"] == "assistant"
    ends = [choice["index"] for document in out for choice in document["choices"] if choice["finish_reason"]]
    assert ends == [1, 0]


@pytest.mark.parametrize("part", ["reasoning", "arguments", "refusal"])
def test_a_word_in_any_part_of_a_stream_can_stop_it(part: str) -> None:
    fields = {
        "reasoning": [{"reasoning_content": "st"}, {"reasoning_content": "op"}],
        "arguments": [{"tool_calls": call('{"a": "st')}, {"tool_calls": call('op"}')}],
        "refusal": [{"refusal": "st"}, {"refusal": "op"}],
    }[part]
    guard = guarding("openai-chat", lambda: [Stopping("stop")], part)
    through(guard, *(chunk(delta(**each)) for each in fields))
    assert isinstance(guard.refusal, Stopped)


def test_a_comment_between_two_pieces_does_not_let_out_what_is_held() -> None:
    guard = guarding("openai-chat", lambda: [Stopping("stop")])
    out = through(guard, chunk(delta(content="a st")), b": still here\n\n", chunk(delta(content="op")))
    assert isinstance(guard.refusal, Stopped)
    assert "".join(said(out).values()) == "a"


def test_what_cannot_be_read_is_not_passed_by_a_guard() -> None:
    guard = guarding("openai-chat", lambda: [Stopping("stop")])
    assert asyncio.run(guard.feed(b"data: stop\n\n")) == b""


def test_the_probabilities_of_a_text_that_was_held_back_are_not_told() -> None:
    told = {"content": [{"token": "secret", "logprob": -0.1}]}
    guard = guarding("openai-chat", lambda: [Holding(3)])
    out = through(guard, chunk(delta(content="secret", logprobs=told)), chunk(delta(finish="stop")))
    assert said(out)["text", 0, "content"] == "secret"
    assert all(choice.get("logprobs") is None for document in out for choice in document["choices"])

"""Frames come out as they went in, however the stream is cut; header values survive HTTP."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_mcp.wire import fields, keys, messages, sse

TEXTS = st.lists(st.text(max_size=40).map(json.dumps), max_size=5)


@given(texts=TEXTS, cuts=st.lists(st.integers(0, 400), max_size=8), end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_frames_survive_every_way_to_cut_a_stream(texts: list[str], cuts: list[int], end: bytes) -> None:
    stream = sse.PING + b"".join(sse.frame(text.encode(), id=f"a.{n}") for n, text in enumerate(texts))
    stream = stream.replace(b"\n", end)
    reader = sse.Reader(10_000)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    events = [event for a, b in pairwise(places) for event in reader.feed(stream[a:b])]
    assert [event.data for event in events] == texts
    assert [event.id for event in events] == [f"a.{n}" for n in range(len(texts))]


def test_a_frame_without_end_is_refused() -> None:
    reader = sse.Reader(1000)
    with pytest.raises(sse.TooLarge):
        for _ in range(100):
            reader.feed(b"data: " + b"x" * 50)


def test_a_priming_frame_names_a_place_and_a_pause() -> None:
    (event,) = sse.Reader(100).feed(sse.priming("a.0", 500))
    assert (event.data, event.id, event.retry) == ("", "a.0", 500)


@given(value=st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_a_value_survives_its_header(value: str) -> None:
    written = fields.written(value)
    assert written.isascii()
    assert written == written.strip()
    assert fields.read(written) == value


@pytest.mark.parametrize("broken", ["=?base64?ZWNobw?=", "=?base64?ZWNobx==?=", "=?base64?!!!?=", "=?base64?/w==?="])
def test_a_base64_form_that_is_not_canonical_says_nothing(broken: str) -> None:
    assert fields.read(broken) is None


@pytest.mark.parametrize(
    ("accept", "both"),
    [
        ("application/json, text/event-stream", (True, True)),
        ("text/event-stream;q=0.9,APPLICATION/JSON ;v=1", (True, True)),
        ("application/*, text/*", (True, True)),
        ("*/*;q=0.1", (True, True)),
        ("text/html", (False, False)),
        (None, (False, False)),
    ],
)
def test_what_a_client_accepts(accept: str | None, both: tuple[bool, bool]) -> None:
    assert fields.accepts(accept) == both


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"jsonrpc": "2.0", "id": 1, "method": "x"}, "request"),
        ({"jsonrpc": "2.0", "id": "", "method": "x", "params": {}}, "request"),
        ({"jsonrpc": "2.0", "method": "x"}, "notification"),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, "answer"),
        ({"jsonrpc": "2.0", "id": None, "error": {}}, "answer"),
        ({"jsonrpc": "2.0", "id": None, "method": "x"}, None),
        ({"jsonrpc": "2.0", "id": True, "method": "x"}, None),
        ({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}, None),
        ({"jsonrpc": "1.0", "id": 1, "method": "x"}, None),
        ({"id": 1, "method": "x"}, None),
        ([], None),
        ("x", None),
    ],
)
def test_messages_are_told_apart(message: object, kind: str | None) -> None:
    assert messages.kind(message) == kind


def test_the_envelope_is_taken_off_and_nothing_else() -> None:
    params = {"a": 1, "_meta": {keys.VERSION: "v", keys.LOG_LEVEL: "info", "progressToken": 1, keys.SERVER_INFO: {}}}
    assert keys.without_envelope(params) == {"a": 1, "_meta": {"progressToken": 1, keys.SERVER_INFO: {}}}
    assert keys.without_envelope({"_meta": {keys.VERSION: "v"}}) == {}
    assert params["_meta"][keys.VERSION] == "v"  # type: ignore[index]

"""Promises of the event splitter and of reading and writing one frame."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from routeiq.wires.sse import SseSplitter, frame, parse_frame

STREAM = b'event: a\ndata: {"x":1}\n\ndata: two\r\n\r\n: keep-alive\n\ndata: l1\rdata: l2\r\rdata: [DONE]\n\ndata: cut'


def fed(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = SseSplitter()
    frames = [one for chunk in chunks for one in splitter.feed(chunk)]
    return frames, splitter.remainder


@given(
    text=st.one_of(st.just(STREAM), st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"data: x", b":"])).map(b"".join)),
    cuts=st.lists(st.integers(0, 200)),
)
@example(text=b"data: x\r\rdata: y\n\n", cuts=[])
@example(text=b"data: x\r\n\r\ndata: y\n\n", cuts=[9])
def test_any_chunking_gives_the_same_frames_and_loses_no_byte(text: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    chunks = [text[begin:end] for begin, end in pairwise(places)]
    frames, remainder = fed(chunks)
    assert (frames, remainder) == fed([text])
    assert (frames, remainder) == fed([bytes([byte]) for byte in text])
    assert b"".join(frames) + remainder == text


def test_each_kind_of_line_break_ends_a_frame() -> None:
    frames, remainder = fed([STREAM])
    assert [parse_frame(one) for one in frames] == [
        ("a", b'{"x":1}'),
        (None, b"two"),
        (None, b""),
        (None, b"l1\nl2"),
        (None, b"[DONE]"),
    ]
    assert remainder == b"data: cut"


def test_a_whole_event_a_chunk_is_handed_on_as_it_came() -> None:
    splitter = SseSplitter()
    for one in (b"data: 1\n\n", b"event: e\ndata: 2\n\n"):
        assert splitter.feed(one) == [one]
    assert splitter.feed(b"") == []
    assert splitter.remainder == b""


@pytest.mark.parametrize(
    "chunks", [[b"data: 123456789\n\n"], [b"data: 1234", b"5678"], [b"x" * 11], [b"d: 4567890\r\n\r\n"]]
)
def test_an_event_beyond_the_limit_is_refused(chunks: list[bytes]) -> None:
    splitter = SseSplitter(limit=10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        for chunk in chunks:
            splitter.feed(chunk)


def test_many_small_events_never_reach_the_limit() -> None:
    splitter = SseSplitter(limit=10)
    assert len(splitter.feed(b"data: 1\n\n" * 50)) == 50


def test_a_frame_is_read_in_all_its_spellings() -> None:
    assert parse_frame(b"\xef\xbb\xbfdata:x\n\n") == (None, b"x")
    assert parse_frame(b"data:  two spaces\n\n") == (None, b" two spaces")
    assert parse_frame(b"id: 7\nretry: 10\nevent: \xff\ndata\ndata: y\n\n") == ("\ufffd", b"\ny")
    assert parse_frame(b"\n\n") == (None, b"")


@given(data=st.binary(), event=st.none() | st.sampled_from(["message_start", "error"]))
def test_a_written_frame_is_one_frame_with_the_same_data(data: bytes, event: str | None) -> None:
    frames, remainder = fed([frame(data, event)])
    assert len(frames) == 1
    assert remainder == b""
    assert parse_frame(frames[0]) == (event, data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))

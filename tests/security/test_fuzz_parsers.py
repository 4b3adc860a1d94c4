"""No input, however spoilt, makes what reads it fail in a way that nobody answers for.

Seconds here; `tests/bench/run.py fuzz` tries a million.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq.wires import sse
from routeiq.wires.depth import too_deep

from .fuzz_cases import TARGETS, crash

CASES = 1500


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_input_is_refused_or_read(name: str) -> None:
    target, found = TARGETS[name], []
    for number in range(CASES):
        given_input = target.make(random.Random(f"{name} {number}"))
        error = crash(target, given_input)
        if error is not None:
            found.append((number, repr(error), given_input))
    assert not found, found[:5]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\[]{}\u00e9', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"\\[{', max_size=4), inner, max_size=3),
    max_leaves=40,
)


def depth_of(value: Any) -> int:
    """The nesting of a value, by looking at it."""
    inner: Iterator[Any] = (
        iter(value.values()) if isinstance(value, dict) else iter(value) if isinstance(value, list) else iter(())
    )
    levels = [depth_of(each) for each in inner]
    return (1 + max(levels, default=0)) if isinstance(value, dict | list) else 0


@settings(max_examples=300, deadline=None)
@given(_json, st.booleans())
def test_the_depth_of_bytes_is_the_depth_of_what_they_mean(value: Any, ascii_only: bool) -> None:
    raw, depth = json.dumps(value, ensure_ascii=ascii_only).encode(), depth_of(value)
    assert not too_deep(raw, depth)
    assert depth == 0 or too_deep(raw, depth - 1)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b"data: x", b"\n", b"\r", b"\r\n", b"event: e", b": c", b"\xff", b"y"]), max_size=40),
    st.data(),
)
def test_frames_do_not_depend_on_cuts(pieces: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(pieces)
    whole = sse.SseSplitter()
    expected = whole.feed(raw)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    splitter, found, begin = sse.SseSplitter(), [], 0
    for cut in [*cuts, len(raw)]:
        found += splitter.feed(raw[begin:cut])
        begin = cut
    assert found == expected
    assert splitter.remainder == whole.remainder


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([None, "message", "x"]))
def test_a_written_frame_reads_back(payload: bytes, name: str | None) -> None:
    written = sse.frame(payload, name)
    assert sse.SseSplitter().feed(written) == [written]
    event, data = sse.parse_frame(written)
    assert event == name
    assert data == payload.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

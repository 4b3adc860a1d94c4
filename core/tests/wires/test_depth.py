"""Promises of the nesting check."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.wires import depth
from routeiq.wires.depth import too_deep

WORDS = st.text(alphabet='"\\[]{},ab', max_size=6)
BODIES = st.recursive(
    WORDS | st.integers(-9, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=40,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(body=BODIES, limit=st.integers(0, 8), window=st.integers(1, 64))
def test_it_agrees_with_the_parsed_value(body: Any, limit: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depth, "_WINDOW", window)
        assert too_deep(orjson.dumps(body), limit) == (depth_of(body) > limit)


def test_brackets_inside_strings_do_not_count() -> None:
    assert not too_deep(rb'{"a": "[[[[\"{{{{", "b\\": "[[["}', 1)
    assert too_deep(rb'{"a": "\\", "b": [[1]]}', 2)


@pytest.mark.parametrize("body", [b'"' + b'\\"[' * 100, b"]" * 100 + b"[" * 100, b'["', b"\\" * 9 + b'"[' * 100, b""])
def test_malformed_bytes_are_left_to_the_parser(body: bytes) -> None:
    assert too_deep(body, 64) in (True, False)


@pytest.mark.parametrize("piece", [b"[],", b'["a"],', b'\\"[', b"{}" * 8])
def test_the_time_grows_with_the_size_and_not_with_its_square(piece: bytes) -> None:
    def seconds(count: int) -> float:
        body = b'["' + piece * count if piece.startswith(b"\\") else b"[" + piece * count
        runs = []
        for _ in range(3):
            begin = time.perf_counter()
            too_deep(body, 64)
            runs.append(time.perf_counter() - begin)
        return min(runs)

    assert seconds(160_000) < 16 * 5 * max(seconds(10_000), 1e-4)

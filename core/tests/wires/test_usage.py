"""Promises about token counts: right in both directions, and never an exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.wires import usage
from routeiq_sdk import Usage

COUNTS = st.integers(0, 10**9)
NAMES = st.sampled_from(
    [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "cached_tokens",
        "reasoning_tokens",
        "input_tokens",
        "output_tokens",
        "output_tokens_details",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=12,
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    cached, written, plain, said = draw(COUNTS), draw(COUNTS), draw(COUNTS), draw(COUNTS)
    return Usage(plain + cached + written, said, cached, written, draw(st.integers(0, said)))


@given(counted=usages())
def test_counts_survive_both_wires(counted: Usage) -> None:
    assert usage.from_chat(usage.to_chat(counted)) == counted
    assert usage.from_anthropic(usage.to_anthropic(counted)) == counted


@given(counts=ANYTHING)
def test_reading_never_raises_and_parts_never_exceed_the_whole(counts: Any) -> None:
    for found in (usage.from_chat(counts), usage.from_anthropic(counts), usage.from_embeddings(counts)):
        if found is not None:
            assert 0 <= found.cached_tokens + found.cache_write_tokens <= found.input_tokens
            assert 0 <= found.reasoning_tokens <= found.output_tokens
    usage.merged_anthropic({}, counts)


def test_anthropics_input_leaves_the_cache_out_and_openais_does_not() -> None:
    anthropic = {"input_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 7, "output_tokens": 3}
    assert usage.from_anthropic(anthropic) == Usage(102, 3, 90, 7)
    chat = {"prompt_tokens": 102, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 90}}
    assert usage.from_chat(chat) == Usage(102, 3, 90)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"prompt_tokens": 8, "completion_tokens": 2, "cache_read_input_tokens": 6}, Usage(8, 2, 6)),
        ({"prompt_tokens": 8, "completion_tokens": 2, "prompt_cache_hit_tokens": 6}, Usage(8, 2, 6)),
        ({"prompt_tokens": 8, "completion_tokens": 2, "cache_creation_input_tokens": 4}, Usage(8, 2, 0, 4)),
        ({"prompt_tokens": 8, "completion_tokens": None, "prompt_tokens_details": None}, Usage(8)),
        ({"prompt_tokens": -1, "completion_tokens": 2.5}, None),
        ({"prompt_tokens": True, "completion_tokens": "7"}, None),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 99}}, Usage(3, 0, 3)),
    ],
)
def test_counts_as_other_servers_write_them(counts: dict[str, Any], expected: Usage | None) -> None:
    assert usage.from_chat(counts) == expected


def test_reasoning_counted_beside_the_completion_is_billed() -> None:
    counts = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 41}
    beside = {**counts, "completion_tokens_details": {"reasoning_tokens": 30}}
    assert usage.from_chat(beside) == Usage(10, 31, reasoning_tokens=30)
    inside = {**beside, "completion_tokens": 31}
    assert usage.from_chat(inside) == Usage(10, 31, reasoning_tokens=30)


def test_embeddings_have_input_alone() -> None:
    assert usage.from_embeddings({"prompt_tokens": 4, "total_tokens": 4}) == Usage(4)
    assert usage.from_embeddings({"total_tokens": 4}) == Usage(4)
    assert usage.from_embeddings({}) is None


def test_counts_of_a_stream_are_cumulative() -> None:
    first = usage.merged_anthropic({}, {"input_tokens": 9, "output_tokens": 1, "cache_read_input_tokens": None})
    both = usage.merged_anthropic(
        first, {"output_tokens": 40, "input_tokens": 0, "output_tokens_details": {"thinking_tokens": 4}}
    )
    assert usage.from_anthropic(both) == Usage(9, 40, reasoning_tokens=4)

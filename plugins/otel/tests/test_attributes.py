"""Every way to encode an attribute says what OpenTelemetry's own message types read."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from routeiq_otel.attributes import RESOURCE, DoubleAttribute, IntAttribute, TextAttribute, attribute
from routeiq_otel.protobuf import block, double, fields, fixed64, integer, packed_doubles, packed_fixed64, text

from .collector import value_of

WHOLE = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def read(encoded: bytes) -> tuple[str, Any]:
    (pair,) = Span.FromString(encoded).attributes
    return pair.key, value_of(pair.value)


@given(st.text())
def test_text(value: str) -> None:
    assert read(TextAttribute("a.name")(value)) == ("a.name", value)


@pytest.mark.parametrize("length", [0, 1, 108, 118, 119, 120, 126, 127, 128, 16_000, 70_000])
def test_text_of_any_length(length: int) -> None:
    assert read(TextAttribute("a.name")("x" * length)) == ("a.name", "x" * length)


def test_half_a_surrogate_pair_harms_nobody() -> None:
    assert read(TextAttribute("a")("x\ud800y")) == ("a", "x?y")


@given(WHOLE)
def test_whole_numbers(value: int) -> None:
    assert read(IntAttribute("a.name")(value)) == ("a.name", value)


@given(st.floats(allow_nan=False))
def test_floating_point_numbers(value: float) -> None:
    assert read(DoubleAttribute("a.name")(value)) == ("a.name", value)


@given(st.one_of(st.text(), st.booleans(), WHOLE, st.floats(allow_nan=False), st.lists(st.text(), min_size=1)))
def test_values_that_are_encoded_rarely(value: Any) -> None:
    (pair,) = Resource.FromString(attribute("a", value, RESOURCE)).attributes
    assert value_of(pair.value) == value
    assert type(value_of(pair.value)) is type(value)


@given(WHOLE, st.binary(max_size=300), st.text(max_size=50), st.integers(0, 2**64 - 1), st.floats(allow_nan=False))
def test_messages_read_back_as_they_were_written(number: int, raw: bytes, told: str, fixed: int, value: float) -> None:
    message = integer(1, number) + block(2, raw) + text(3, told) + fixed64(1000, fixed) + double(5, value)
    read = dict(fields(message))
    assert read[1] == number % 2**64
    assert read[2] == raw
    assert read[3] == told.encode()
    assert read[1000] == struct.pack("<Q", fixed)
    assert read[5] == struct.pack("<d", value)


def test_packed_numbers_have_eight_bytes_each() -> None:
    assert packed_fixed64(6, [1, 2]) == block(6, struct.pack("<QQ", 1, 2))
    assert packed_doubles(7, [math.pi]) == block(7, struct.pack("<d", math.pi))


@pytest.mark.parametrize("broken", [b"\x0a\x05abc", b"\xff", b"\x0b", b"\x08" + b"\xff" * 11])
def test_what_is_no_message_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(fields(broken))


def test_a_pair_alone_is_a_message_of_its_own() -> None:
    (_, pair) = next(fields(attribute("a", "b", RESOURCE)))
    assert isinstance(pair, bytes)
    assert KeyValue.FromString(pair).key == "a"

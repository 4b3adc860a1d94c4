"""Attributes of spans, events, logs and data points, as OTLP's bytes: names are encoded once, values as they come.

Which attributes there are is known to the modules that use these.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from routeiq_otel.protobuf import block, double, integer, tag, text, varint

RESOURCE, POINT, SPAN, EVENT, LOG, EXEMPLAR = 1, 7, 9, 3, 6, 7
"""The number of the field that holds attributes, by who has them. A histogram's point has them where a span has."""
HISTOGRAM_POINT = 9
_SHORT = 120
_DOUBLE = struct.Struct("<d").pack

Value = str | bool | int | float | Sequence[str]


def attribute(name: str, value: Value, holder: int) -> bytes:
    """One attribute, for what is encoded rarely or kept."""
    return block(holder, text(1, name) + block(2, any_value(value)))


def attributes(values: Mapping[str, Value | None], holder: int) -> bytes:
    """Those attributes that have a value."""
    return b"".join(attribute(name, value, holder) for name, value in values.items() if value is not None)


def any_value(value: Value) -> bytes:
    """An `AnyValue`."""
    if isinstance(value, str):
        return text(1, value)
    if isinstance(value, bool):
        return integer(2, value)
    if isinstance(value, int):
        return integer(3, value)
    if isinstance(value, float):
        return double(4, value)
    return block(5, b"".join(block(1, text(1, each)) for each in value))


class TextAttribute:
    """Encodes values of one attribute of text. What stands before a short value is looked up by its length."""

    __slots__ = ("_heads", "_holder", "_name")

    def __init__(self, name: str, holder: int = SPAN) -> None:
        self._holder = tag(holder, 2)
        self._name = text(1, name)
        self._heads = tuple(self._head(length) for length in range(_SHORT))

    def __call__(self, value: str) -> bytes:
        raw = value.encode("utf-8", "replace")
        length = len(raw)
        return (self._heads[length] if length < _SHORT else self._head(length)) + raw

    def _head(self, length: int) -> bytes:
        value = b"\x0a" + varint(length)
        whole = b"\x12" + varint(len(value) + length) + value
        return self._holder + varint(len(self._name) + len(whole) + length) + self._name + whole


class IntAttribute:
    """Encodes values of one attribute of whole numbers."""

    __slots__ = ("_heads",)

    def __init__(self, name: str, holder: int = SPAN) -> None:
        key = text(1, name)
        self._heads = tuple(
            tag(holder, 2) + varint(len(key) + 3 + length) + key + b"\x12" + varint(length + 1) + b"\x18"
            for length in range(11)
        )

    def __call__(self, value: int) -> bytes:
        raw = varint(value)
        return self._heads[len(raw)] + raw


class DoubleAttribute:
    """Encodes values of one attribute of floating point numbers."""

    __slots__ = ("_head",)

    def __init__(self, name: str, holder: int = SPAN) -> None:
        key = text(1, name)
        self._head = tag(holder, 2) + varint(len(key) + 11) + key + b"\x12\x09\x21"

    def __call__(self, value: float) -> bytes:
        return self._head + _DOUBLE(value)

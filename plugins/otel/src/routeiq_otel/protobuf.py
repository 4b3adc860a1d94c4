"""The wire format of Protocol Buffers: what OTLP's messages are made of, and reading the small answers to them.

Which field means what is known to the modules that write OTLP. Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

_FIXED64 = struct.Struct("<Q")
_DOUBLE = struct.Struct("<d")
_LENGTHS = 4096


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1  # negative numbers take ten bytes
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_KNOWN = tuple(_varint(value) for value in range(_LENGTHS))


def varint(value: int) -> bytes:
    """An integer of variable length."""
    return _KNOWN[value] if 0 <= value < _LENGTHS else _varint(value)


def tag(number: int, wire: int) -> bytes:
    """What stands before a field's value: 0 varint, 1 eight bytes, 2 a length, 5 four bytes."""
    return varint(number << 3 | wire)


def block(number: int, payload: bytes) -> bytes:
    """A field with a length: bytes, text, a message."""
    return tag(number, 2) + varint(len(payload)) + payload


def text(number: int, value: str) -> bytes:
    """A field of text. Half a surrogate pair becomes a question mark."""
    return block(number, value.encode("utf-8", "replace"))


def integer(number: int, value: int) -> bytes:
    """A field of a number, an enumeration or a truth value."""
    return tag(number, 0) + varint(value)


def fixed64(number: int, value: int) -> bytes:
    """A field of eight bytes."""
    return tag(number, 1) + _FIXED64.pack(value)


def double(number: int, value: float) -> bytes:
    """A field of a floating point number."""
    return tag(number, 1) + _DOUBLE.pack(value)


def packed_fixed64(number: int, values: Sequence[int]) -> bytes:
    """A repeated field of unsigned numbers of eight bytes."""
    return block(number, struct.pack(f"<{len(values)}Q", *values))


def packed_doubles(number: int, values: Sequence[float]) -> bytes:
    """A repeated field of floating point numbers."""
    return block(number, struct.pack(f"<{len(values)}d", *values))


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message's fields, in order. Raises `ValueError` when it is no message."""
    at, end = 0, len(message)
    while at < end:
        key = message[at]
        at += 1
        if key > 0x7F:
            key, at = _read_varint(message, at - 1)
        wire = key & 7
        if wire == 0:
            number, at = _read_varint(message, at)
            yield key >> 3, number
            continue
        if wire == 2:
            size = message[at] if at < end else 0x80
            if size > 0x7F:  # two bytes or more, or none at all
                size, at = _read_varint(message, at)
            else:
                at += 1
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        stop = at + size
        if stop > end:
            raise ValueError("the message ends too early")
        yield key >> 3, message[at:stop]
        at = stop


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number does not end")

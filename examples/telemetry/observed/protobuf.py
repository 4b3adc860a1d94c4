"""Reads the wire format of Protocol Buffers (protobuf.dev, "Encoding"), so that the example needs no generated code.

What fields mean is the business of `spans`.
"""

from __future__ import annotations

import struct
from collections import defaultdict

Fields = dict[int, list[int | bytes]]
"""What a message holds by field number, in order: whole numbers and fixed numbers as integers, all else as bytes."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Fields:
    """The fields of one message. Raises `ValueError` for bytes that are none."""
    found: Fields = defaultdict(list)
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
            value, at = int.from_bytes(_taken(message, at, size), "little"), at + size
        elif kind == _BYTES:
            size, at = _varint(message, at)
            value, at = _taken(message, at, size), at + size
        else:
            raise ValueError(f"the wire type {kind} is not known")
        found[number].append(value)
    return found


def messages(found: Fields, number: int) -> list[bytes]:
    """The messages (or texts) of a field."""
    return [value for value in found.get(number, ()) if isinstance(value, bytes)]


def whole(found: Fields, number: int) -> int:
    """The number in a field; 0 without it, as the format has it."""
    return next((value for value in found.get(number, ()) if isinstance(value, int)), 0)


def text(found: Fields, number: int) -> str:
    """The text in a field; empty without it."""
    return next((value.decode() for value in messages(found, number)), "")


def real(bits: int) -> float:
    """The double that these 64 bits are."""
    (value,) = struct.unpack("<d", bits.to_bytes(8, "little"))
    return float(value)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = _taken(message, at, 1)[0]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _taken(message: bytes, at: int, size: int) -> bytes:
    found = message[at : at + size]
    if len(found) < size:
        raise ValueError("the message is cut")
    return found

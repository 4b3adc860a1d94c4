"""Canonical JSON (RFC 8785): the one spelling of a value that hashes and signatures are made of.

The library is asked only where the fast encoder would spell something differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import rfc8785

_SAFE = 2**53


class _Odd(Exception):
    """The value holds something that orjson spells in another way than RFC 8785."""


def canonical(value: Any) -> bytes:
    """`value` in its canonical spelling. Integers beyond 2^53, which RFC 8785 does not know, become texts; whatever
    is no JSON becomes its text."""
    try:
        return orjson.dumps(_plain(value, strict=True), option=orjson.OPT_SORT_KEYS)
    except (_Odd, orjson.JSONEncodeError):
        return bytes(rfc8785.dumps(_plain(value, strict=False)))


def _plain(value: Any, strict: bool) -> Any:
    kind = type(value)
    if kind is str:
        return value if strict or value.isascii() else _text(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -_SAFE < value < _SAFE else str(value)
    if kind is float:
        return _number(value, strict)
    if kind is dict or isinstance(value, Mapping):
        out = {}
        for key, each in value.items():
            name = key if type(key) is str else str(key)
            if not name.isascii():
                if strict:
                    raise _Odd  # orjson sorts by bytes, RFC 8785 by UTF-16
                name = _text(name)
            out[name] = _plain(each, strict)
        return out
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each, strict) for each in value]
    return _plain(value.value if hasattr(value, "value") else str(value), strict)


def _text(value: str) -> str:
    """Halves of characters, which JSON can hold and UTF-8 cannot, joined or replaced."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _number(value: float, strict: bool) -> Any:
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if value == int(value) and abs(value) < _SAFE:
        return int(value)
    if strict and not 1e-4 <= abs(value) < 1e15:
        raise _Odd  # exponents are written in two ways
    return value

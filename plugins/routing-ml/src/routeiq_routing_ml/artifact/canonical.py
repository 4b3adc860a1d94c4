"""One spelling for each JSON value, so that a digest and a signature cover the meaning and not only the text.

What the values mean is the business of those who call.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def encode(value: object) -> bytes:
    """UTF-8 with sorted keys and no spaces. Raises `ValueError` for NaN, infinity, lone surrogates and values that
    JSON does not have.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None


def decode(data: bytes) -> Any:
    """The value of strict JSON: UTF-8, no key twice, no NaN, no number that becomes infinite. Raises `ValueError`."""
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def decode_canonical(data: bytes) -> Any:
    """Like `decode`; bytes that `encode` would have spelled otherwise are a `ValueError` too."""
    value = decode(data)
    if encode(value) != data:
        raise ValueError("not in canonical form (sorted keys, no spaces, UTF-8)")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key that occurs twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number

"""Checked reading of JSON that others wrote: the type a wire promises, or `Untranslatable`.

Nothing is converted here and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from routeiq.wires.depth import too_deep
from routeiq_sdk.errors import RequestError

JSON_DEPTH = 128
"""JSON inside a string (a call's arguments) may not nest deeper: orjson cannot write what it can read."""


class Untranslatable(RequestError):
    """A body that cannot be said on the other wire, or that breaks its own. `param` is the path of the field.

    Status 400 fits a client's request. When it is a provider's answer that cannot be read, the caller
    reports a bad gateway instead.
    """

    def __init__(self, param: str, message: str) -> None:
        super().__init__(400, f"{param}: {message}", param=param)


def as_object(value: object, param: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise Untranslatable(param, "an object is expected")


def as_list(value: object, param: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise Untranslatable(param, "an array is expected")


def as_text(value: object, param: str) -> str:
    if isinstance(value, str):
        return value
    raise Untranslatable(param, "a string is expected")


def as_number(value: object, param: str) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise Untranslatable(param, "a number is expected")


def as_count(value: object, param: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Untranslatable(param, "a whole number from 0 up is expected")


def as_bool(value: object, param: str) -> bool:
    if isinstance(value, bool):
        return value
    raise Untranslatable(param, "true or false is expected")


def looked_up(table: Mapping[str, str], value: object, param: str) -> str:
    """The other wire's word for a word of this one."""
    found = table.get(value) if isinstance(value, str) else None
    if found is None:
        raise Untranslatable(param, f"one of {', '.join(sorted(table))} is expected")
    return found


def object_in_text(value: object, param: str) -> dict[str, Any]:
    """The JSON object inside a string. An empty string counts as an object without fields."""
    raw = as_text(value, param)
    if not raw.strip():
        return {}
    try:
        if too_deep(raw.encode(), JSON_DEPTH):
            raise Untranslatable(param, f"JSON nested deeper than {JSON_DEPTH} levels")
        parsed = orjson.loads(raw)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise Untranslatable(param, "a JSON object inside the string is expected") from None
    return as_object(parsed, param)


def json_text(value: object, param: str) -> str:
    """A JSON value as compact text."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise Untranslatable(param, "this value cannot be written as JSON") from None

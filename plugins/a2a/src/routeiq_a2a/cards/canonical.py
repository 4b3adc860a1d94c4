"""The one form of a card that is signed (specification 8.4.1): required fields are there even when they are empty, and
the JSON is canonical (RFC 8785).

The library's own form leaves out everything that is empty, so a card is signed in both.
"""

from __future__ import annotations

import json
from typing import Any

from a2a.types import AgentCard
from google.api.field_behavior_pb2 import REQUIRED, field_behavior
from google.protobuf.descriptor import Descriptor

from routeiq_a2a.protojson import to_json

_EXPONENT_BELOW, _EXPONENT_FROM = 1e-6, 1e21


def complete(card: AgentCard) -> dict[str, Any]:
    """A card as JSON values, with every field that is required."""
    return _filled(to_json(card), card.DESCRIPTOR)


def canonical(card: AgentCard) -> bytes:
    """What is signed of a card."""
    content = complete(card)
    content.pop("signatures", None)
    return _written(content).encode()


def _filled(value: dict[str, Any], kind: Descriptor) -> dict[str, Any]:
    for field in kind.fields:
        name, inner = field.json_name, field.message_type
        if name not in value and REQUIRED in field.GetOptions().Extensions[field_behavior]:
            default = field.default_value  # of a repeated field a list, of a message `None`
            value[name] = {} if default is None else default
        if name not in value or inner is None or inner.full_name.startswith("google."):
            continue
        if inner.GetOptions().map_entry:
            entry = inner.fields_by_name["value"].message_type
            if entry is not None:
                value[name] = {key: _filled(each, entry) for key, each in value[name].items()}
        elif isinstance(value[name], list):
            value[name] = [_filled(each, inner) for each in value[name]]
        else:
            value[name] = _filled(value[name], inner)
    return value


def _written(value: Any) -> str:
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
        return "{" + ",".join(f"{_written(name)}:{_written(each)}" for name, each in ordered) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """As ECMAScript writes it: the digits are Python's, the place where an exponent begins is not."""
    if value == int(value) and abs(value) < _EXPONENT_FROM:
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    if _EXPONENT_BELOW <= abs(value) < 1:
        digits = mantissa.lstrip("-").replace(".", "")
        return f"{'-' * (value < 0)}0.{'0' * (-int(exponent) - 1)}{digits}"
    return f"{mantissa}e{int(exponent):+d}"

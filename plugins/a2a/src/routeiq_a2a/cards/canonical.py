"""The one form of a card that is signed (specification 8.4.1): required fields are there even when they are empty, and
the JSON is canonical (RFC 8785).

The library's own form leaves out everything that is empty, so a card is signed in both.
"""

from __future__ import annotations

from typing import Any

import rfc8785
from a2a.types import AgentCard
from google.api.field_behavior_pb2 import REQUIRED, field_behavior
from google.protobuf.descriptor import Descriptor

from routeiq_a2a.protojson import to_json


def complete(card: AgentCard) -> dict[str, Any]:
    """A card as JSON values, with every field that is required."""
    return _filled(to_json(card), card.DESCRIPTOR)


def canonical(card: AgentCard) -> bytes:
    """What is signed of a card."""
    content = complete(card)
    content.pop("signatures", None)
    made: bytes = rfc8785.dumps(content)
    return made


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

"""Messages of the protocol as JSON and back, as ProtoJSON has it; fields of later minor versions are ignored.

The protocol's meaning is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from google.protobuf.json_format import MessageToDict, Parse, ParseDict
from google.protobuf.message import Message

P = TypeVar("P", bound=Message)


def to_json(message: Message) -> dict[str, Any]:
    """A message as JSON values."""
    return cast(dict[str, Any], MessageToDict(message))


def of_json(value: Mapping[str, Any], into: P) -> P:
    """JSON values as a message, which is `into`. Raises `ParseError`."""
    ParseDict(dict(value), into, ignore_unknown_fields=True)
    return into


def of_bytes(raw: bytes, into: P) -> P:
    """JSON text as a message, which is `into`. Raises `ParseError`."""
    Parse(raw, into, ignore_unknown_fields=True)
    return into

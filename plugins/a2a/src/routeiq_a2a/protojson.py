"""Messages of the protocol as JSON and back, as ProtoJSON has it; fields of later minor versions are ignored.

The protocol's meaning is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from a2a.types import ListTasksResponse
from google.protobuf.json_format import MessageToDict, Parse, ParseDict, ParseError
from google.protobuf.message import Message

P = TypeVar("P", bound=Message)


def to_json(message: Message) -> dict[str, Any]:
    """A message as JSON values."""
    return cast(dict[str, Any], MessageToDict(message))


def listed_json(page: ListTasksResponse, *, artifacts: bool) -> dict[str, Any]:
    """A list of tasks, in which every field is there that must be, also when it is empty."""
    tasks = [to_json(task) for task in page.tasks]
    for task in tasks:
        if artifacts:
            task.setdefault("artifacts", [])
        else:
            task.pop("artifacts", None)
    return {
        "tasks": tasks,
        "nextPageToken": page.next_page_token,
        "pageSize": page.page_size,
        "totalSize": page.total_size,
    }


def of_json(value: Mapping[str, Any], into: P) -> P:
    """JSON values as a message, which is `into`. Raises `ParseError`."""
    ParseDict(dict(value), into, ignore_unknown_fields=True)
    return into


def of_bytes(raw: bytes, into: P) -> P:
    """JSON text as a message, which is `into`. Raises `ParseError`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ParseError("it is not UTF-8") from None
    Parse(text, into, ignore_unknown_fields=True)
    return into

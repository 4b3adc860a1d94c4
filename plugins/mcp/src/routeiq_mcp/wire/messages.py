"""JSON-RPC 2.0 messages as plain dictionaries and bytes: building them, telling them apart.

No message is validated beyond its envelope; what passes through the gateway passes unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import orjson

Id = str | int | float
"""The id of a request, kept as the client wrote it."""

Kind = Literal["request", "notification", "answer"]


def decode(body: bytes) -> Any:
    """JSON as Python. Raises `ValueError` for what is not JSON, nested too deep, or not Unicode."""
    return orjson.loads(body)


def encode(value: Any) -> bytes:
    """Compact JSON; any `Mapping` is an object."""
    return orjson.dumps(value, default=_plain)


def request(id: Id, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A request."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        message["params"] = params
    return message


def notification(method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A notification."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message["params"] = params
    return message


def result(id: Id, value: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to request `id`."""
    return {"jsonrpc": "2.0", "id": id, "result": value}


def error(id: Id | None, code: int, message: str, data: Any = None) -> dict[str, Any]:
    """The error that answers request `id`; `None` when the id could not be read."""
    fault: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        fault["data"] = data
    return {"jsonrpc": "2.0", "id": id, "error": fault}


def _plain(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def is_id(value: Any) -> bool:
    """Whether a request may be named so."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def kind(message: Any) -> Kind | None:
    """What a decoded message is; `None` when its envelope is wrong."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return None
    method = message.get("method")
    if method is None:
        answers = ("result" in message) != ("error" in message) and "id" in message
        return "answer" if answers and (message["id"] is None or is_id(message["id"])) else None
    if not isinstance(method, str):
        return None
    params = message.get("params")
    if params is not None and not isinstance(params, dict):
        return None
    if "id" not in message:
        return "notification"
    return "request" if is_id(message["id"]) else None

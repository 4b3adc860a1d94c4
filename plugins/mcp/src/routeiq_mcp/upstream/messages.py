"""JSON-RPC messages in a server's answer, be it one document or a stream of events.

Nothing is validated beyond what is needed to tell messages apart: fields that nobody knows pass.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from routeiq_mcp.seams import McpError
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.calling import Answer, json_of
from routeiq_mcp.wire import fields, messages
from routeiq_mcp.wire.codes import METHOD_NOT_FOUND
from routeiq_mcp.wire.sse import Reader, TooLarge

POST_HEADERS: Final = {"accept": f"{fields.JSON}, {fields.EVENTS}", "content-type": fields.JSON}
_STREAM_MESSAGES: Final = 16
"""A stream may carry this many times the largest message, in all."""

Message = dict[str, Any]


@dataclass(slots=True)
class Cursor:
    """How far a stream of events was read: enough to go on with it after it broke."""

    last_id: str | None = None
    retry_ms: int | None = None


def request_bytes(id: int | str, method: str, params: Mapping[str, Any] | None) -> bytes:
    """A request as it goes out."""
    return orjson.dumps(messages.request(id, method, params), default=dict)


def notification_bytes(method: str, params: Mapping[str, Any] | None = None) -> bytes:
    """A notification as it goes out."""
    return orjson.dumps(messages.notification(method, params), default=dict)


def refusal_of(id: Any, error: McpError) -> Message:
    """The refusal of a request of the server."""
    return messages.error(id, error.code, error.message, error.data)


def unknown_method(method: str) -> McpError:
    """What a server is told that asks for something clients do not have."""
    return McpError(METHOD_NOT_FOUND, f"no such method: {method}")


def is_response(message: Mapping[str, Any]) -> bool:
    """Whether a message answers a request of ours."""
    return "method" not in message and ("result" in message or "error" in message)


def outcome(message: Mapping[str, Any], server: str) -> dict[str, Any]:
    """The result in a response. Raises the server's error, or `Failure` for what is neither."""
    error = message.get("error")
    if error is not None:
        raise error_of(error, server)
    result = message.get("result")
    if not isinstance(result, dict):
        raise failures.not_the_protocol(server, "a result is no object")
    return result


def error_of(error: Any, server: str) -> McpError:
    """A server's error as it said it."""
    if not isinstance(error, Mapping) or not isinstance(error.get("code"), int):
        return failures.not_the_protocol(server, "an error without a code")
    return McpError(error["code"], str(error.get("message", "")), error.get("data"))


async def messages_of(answer: Answer, server: str, most: int, cursor: Cursor) -> AsyncGenerator[Message, None]:
    """The messages of an answer with status 200. Raises `Failure`."""
    if answer.media_type == fields.JSON:
        found = await answer.json()
        for message in found if isinstance(found, list) else [found]:
            yield _message(message, server)
    elif answer.media_type == fields.EVENTS:
        async for message in events_of(answer, server, most, cursor):
            yield message
    else:
        raise failures.wrong_type(server)


async def events_of(answer: Answer, server: str, most: int, cursor: Cursor) -> AsyncGenerator[Message, None]:
    """The messages in a stream of events; `cursor` follows it."""
    reader, seen = Reader(most), 0
    async for chunk in answer.chunks():
        seen += len(chunk)
        if seen > most * _STREAM_MESSAGES:
            raise failures.too_large(server, most * _STREAM_MESSAGES)
        try:
            events = reader.feed(chunk)
        except TooLarge:
            raise failures.too_large(server, most) from None
        for event in events:
            if event.id is not None:
                cursor.last_id = event.id
            if event.retry is not None:
                cursor.retry_ms = event.retry
            if event.data and event.name == "message":
                yield _message(json_of(event.data, server), server)


async def error_in(answer: Answer, server: str) -> McpError | None:
    """The error of the protocol that came with a status of 400 or more, if one did."""
    if answer.media_type != fields.JSON:
        return None
    try:
        found = await answer.json()
    except failures.Failure as failure:
        if failure.kind == "not_json":
            return None
        raise
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        error = error_of(found["error"], server)
        return None if isinstance(error, failures.Failure) else error
    return None


def _message(found: Any, server: str) -> Message:
    if not isinstance(found, dict):
        raise failures.not_the_protocol(server, "a message is no object")
    return found

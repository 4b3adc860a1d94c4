"""Anthropic messages.

Providers of another wire are reached by translation; see `routeiq.wires`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from routeiq.errors import Errors
from routeiq.surfaces.base import StreamWriter
from routeiq.surfaces.chat import check_messages
from routeiq.wires import anthropic_answers, anthropic_streams, sse
from routeiq.wires import usage as usages
from routeiq.wires.body import Raw, value_of
from routeiq_sdk import RequestError, Usage

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


class MessageWriter:
    """Chat chunks as Anthropic events."""

    def __init__(self, model: str) -> None:
        self._state = anthropic_streams.ChatToAnthropic(model)

    def feed(self, chunk: dict[str, Any]) -> bytes:
        """The events for one chunk."""
        return _events(self._state.feed(chunk))

    def end(self) -> bytes:
        """`message_delta` and `message_stop`."""
        return _events(self._state.end())


class MessageSurface:
    """`POST /v1/messages`."""

    name = "messages"
    wire = "anthropic-messages"

    def check(self, fields: Mapping[str, Raw], errors: Errors) -> None:
        """`messages` must be a list and `max_tokens` a number."""
        check_messages(fields, errors)
        most = fields.get("max_tokens")
        if most is None:
            raise errors.missing("max_tokens")
        if not isinstance(value_of(most), int):
            raise errors.wrong_type("max_tokens", "an integer")

    def end_user(self, fields: Mapping[str, Raw]) -> str | None:
        """`metadata.user_id`."""
        raw = fields.get("metadata")
        metadata = value_of(raw) if raw is not None else None
        user = metadata.get("user_id") if isinstance(metadata, dict) else None
        return user if isinstance(user, str) and user else None

    def answer(self, chat: dict[str, Any], model: str) -> dict[str, Any]:
        """A message."""
        return anthropic_answers.from_chat(chat, model)

    def writer(self, model: str) -> StreamWriter:
        """Anthropic events."""
        return MessageWriter(model)

    def usage(self, value: Any) -> Usage | None:
        """Anthropic's usage object."""
        return usages.from_anthropic(value)

    def error(self, error: RequestError, profile: str) -> bytes:
        """`{"type": "error", "error": {"type", "message"}}`."""
        return orjson.dumps(_error(error))

    def stream_error(self, error: RequestError, profile: str) -> bytes:
        """`event: error`."""
        return sse.frame(orjson.dumps(_error(error)), "error")


class CountTokensSurface(MessageSurface):
    """`POST /v1/messages/count_tokens`."""

    name = "count_tokens"
    wire = "anthropic-count-tokens"

    def check(self, fields: Mapping[str, Raw], errors: Errors) -> None:
        """`messages` must be a list."""
        check_messages(fields, errors)


def _error(error: RequestError) -> dict[str, Any]:
    kind = _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}}


def _events(events: list[tuple[str, dict[str, Any]]]) -> bytes:
    return b"".join(sse.frame(orjson.dumps(document), name) for name, document in events)

"""OpenAI chat completions.

The canonical form of the road is this wire, so nothing is translated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from routeiq.errors import Errors
from routeiq.surfaces import openai_errors
from routeiq.surfaces.base import StreamWriter
from routeiq.wires import sse
from routeiq.wires import usage as usages
from routeiq.wires.body import Raw, value_of
from routeiq_sdk import RequestError, Usage


class ChatWriter:
    """Chunks as they are."""

    def feed(self, chunk: dict[str, Any]) -> bytes:
        """One event."""
        return sse.frame(orjson.dumps(chunk))

    def end(self) -> bytes:
        """`[DONE]`."""
        return b"data: [DONE]\n\n"


class ChatSurface:
    """`POST /v1/chat/completions`."""

    name = "chat"
    wire = "openai-chat"

    def check(self, fields: Mapping[str, Raw], errors: Errors) -> None:
        """`messages` must be a list."""
        check_messages(fields, errors)

    def end_user(self, fields: Mapping[str, Raw]) -> str | None:
        """`user`."""
        return text_field(fields, "user")

    def answer(self, chat: dict[str, Any], model: str) -> dict[str, Any]:
        """The completion with the name the client asked for."""
        return {**chat, "model": model}

    def writer(self, model: str) -> StreamWriter:
        """Chunks as they are."""
        return ChatWriter()

    def usage(self, value: Any) -> Usage | None:
        """OpenAI's usage object."""
        return usages.from_chat(value)

    def error(self, error: RequestError, profile: str) -> bytes:
        """OpenAI's error body."""
        return openai_errors.error_body(error, profile)

    def stream_error(self, error: RequestError, profile: str) -> bytes:
        """One error event."""
        return openai_errors.stream_error(error, profile)


def check_messages(fields: Mapping[str, Raw], errors: Errors) -> None:
    """`messages` must be there and a list. Raises `RequestError`."""
    messages = fields.get("messages")
    if messages is None:
        raise errors.missing("messages")
    if bytes(messages)[:1] != b"[":
        raise errors.wrong_type("messages", "a list")


def text_field(fields: Mapping[str, Raw], name: str) -> str | None:
    """A top-level field if it is a string that is not empty."""
    raw = fields.get(name)
    value = value_of(raw) if raw is not None else None
    return value if isinstance(value, str) and value else None

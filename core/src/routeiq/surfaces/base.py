"""What the pipeline asks of a client protocol.

Each protocol is one file beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from routeiq.errors import Errors
from routeiq.wires.body import Raw
from routeiq_sdk import RequestError, Usage


class StreamWriter(Protocol):
    """Turns canonical chat chunks into the client's stream."""

    def feed(self, chunk: dict[str, Any]) -> bytes:
        """The client's events for one chunk; may be empty."""

    def end(self) -> bytes:
        """The client's closing events."""


class Surface(Protocol):
    """One client protocol."""

    @property
    def name(self) -> str:
        """Its name in records and errors."""

    @property
    def wire(self) -> str:
        """The wire its clients speak."""

    def check(self, fields: Mapping[str, Raw], errors: Errors) -> None:
        """Look whether the protocol's required fields are there. Raises `RequestError`."""

    def end_user(self, fields: Mapping[str, Raw]) -> str | None:
        """The end user that the client names."""

    def answer(self, chat: dict[str, Any], model: str) -> dict[str, Any]:
        """A canonical chat completion as the client's answer."""

    def writer(self, model: str) -> StreamWriter:
        """A writer of one stream."""

    def usage(self, value: Any) -> Usage | None:
        """The usage object of this wire."""

    def error(self, error: RequestError, profile: str) -> bytes:
        """The body of an error answer."""

    def stream_error(self, error: RequestError, profile: str) -> bytes:
        """The events that end a stream with an error. No proper end follows."""

"""Refuses what an engine lets through although ASGI can see that it is malformed. One pass over the headers.

Body size and time are the application's; what ASGI cannot see (merged trailers) is recorded in `probes.toml`.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger("routeiq.server")

_WATCHED = frozenset({b"host", b"content-length", b"transfer-encoding", b"upgrade"})


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    code: str
    body: bytes

    @classmethod
    def of(cls, status: int, code: str, message: str) -> Refusal:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        return cls(status, code, json.dumps({"error": error}).encode())


AMBIGUOUS_LENGTH = Refusal.of(400, "ambiguous_length", "Content-Length and Transfer-Encoding may not come together.")
OLD_CHUNKED = Refusal.of(400, "ambiguous_length", "Transfer-Encoding needs HTTP/1.1.")
BAD_HOST = Refusal.of(400, "bad_host", "The request must carry exactly one Host header.")
NO_HTTP2 = Refusal.of(400, "http2_not_offered", "HTTP/2 is not offered here; use HTTP/1.1.")
HEAD_TOO_LARGE = Refusal.of(431, "head_too_large", "The request headers are too large.")


def inspect(scope: Scope, head_bytes: int) -> Refusal | None:
    """The reason to refuse this request, or None."""
    version = scope["http_version"]
    if version not in ("1.1", "1.0"):
        return NO_HTTP2
    hosts = size = 0
    named = has_length = has_encoding = False
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        if name in _WATCHED:
            if name == b"host":
                hosts += 1
                named = named or value != b""  # granian makes an empty one out of none
            elif name == b"content-length":
                has_length = True
            elif name == b"transfer-encoding":
                has_encoding = True
            elif value.lower() == b"h2c":
                return NO_HTTP2
    if hosts > 1 or not (named or version == "1.0"):
        return BAD_HOST
    if has_encoding and has_length:
        return AMBIGUOUS_LENGTH
    if has_encoding and version == "1.0":
        return OLD_CHUNKED
    return HEAD_TOO_LARGE if size > head_bytes else None


class Guards:
    """An ASGI application around the application. Refused connections are closed: their framing is in doubt."""

    def __init__(self, app: ASGIApp, head_bytes: int) -> None:
        self._app = app
        self._head_bytes = head_bytes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Not a coroutine function itself: an accepted request pays for the look, not for one more frame."""
        if scope["type"] in ("http", "websocket"):
            refusal = inspect(scope, self._head_bytes)
            if refusal is not None:
                return _refuse(refusal, scope, send)
        return self._app(scope, receive, send)


async def _refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    request_id = uuid.uuid4().hex
    client = (scope.get("client") or ("unknown",))[0]
    logger.info("refused %s (%s) from %s, request %s", refusal.status, refusal.code, client, request_id)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1002})
        return
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(refusal.body)).encode()),
        (b"connection", b"close"),
        (b"x-routeiq-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": refusal.body})

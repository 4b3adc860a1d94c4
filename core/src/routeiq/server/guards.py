"""Refuses what no request may be: malformed heads, foreign names and pages, encoded bodies. One pass over the headers.

Body size and time are the application's; what ASGI cannot see (merged trailers) is recorded in `probes.toml`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from routeiq.server.hosts import Hosts
from routeiq.server.origins import Origins, Shared, share
from routeiq.server.refusals import (
    AMBIGUOUS_LENGTH,
    BAD_HOST,
    BAD_ORIGIN,
    BAD_TARGET,
    ENCODED_BODY,
    HEAD_TOO_LARGE,
    NO_HTTP2,
    NOT_OUR_HOST,
    OLD_CHUNKED,
    SECURITY_HEADERS,
    Refusal,
)
from routeiq.server.settings import ServerSettings

logger = logging.getLogger("routeiq.server")

_WATCHED = frozenset({b"host", b"content-length", b"transfer-encoding", b"upgrade", b"origin", b"content-encoding"})
PROBE_PATHS = frozenset({"/health/liveliness", "/health/liveness", "/health/readiness"})
"""Kubelets and balancers ask these under the address of the day. They are public and say nothing that needs a key, so
they answer under any well-formed name."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the edge of one listening socket holds requests to."""

    head_bytes: int
    hosts: Hosts
    origins: Origins

    @classmethod
    def of(cls, settings: ServerSettings) -> Rules:
        """The rules that the settings ask for. May look up the name that is listened on."""
        origins = Origins(settings.allowed_origins, tls=settings.certfile is not None)
        return cls(settings.head_kib * 1024, Hosts.of(settings), origins)


def inspect(scope: Scope, rules: Rules) -> Refusal | Shared | None:
    """The reason to refuse this request, or `None`; `Shared` when a page of another origin may read the answer."""
    version = scope["http_version"]
    if version not in ("1.1", "1.0"):
        return NO_HTTP2
    hosts = origins = size = 0
    host = origin = b""
    has_length = has_encoding = encoded = False
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        if name in _WATCHED:
            if name == b"host":
                hosts += 1
                host = value
            elif name == b"content-length":
                has_length = True
            elif name == b"transfer-encoding":
                has_encoding = True
            elif name == b"origin":
                origins += 1
                origin = value
            elif name == b"content-encoding":
                encoded = encoded or value.strip().lower() not in (b"", b"identity")
            elif value.lower() == b"h2c":
                return NO_HTTP2
    if hosts > 1 or not (host or version == "1.0"):  # granian makes an empty one out of none
        return BAD_HOST
    if has_encoding and has_length:
        return AMBIGUOUS_LENGTH
    if has_encoding and version == "1.0":
        return OLD_CHUNKED
    if size > rules.head_bytes:
        return HEAD_TOO_LARGE
    if scope["path"][:1] != "/":
        return BAD_TARGET
    refusal = rules.hosts.judge(host) if host else None if rules.hosts.open else NOT_OUR_HOST
    if refusal is not None and not (refusal is NOT_OUR_HOST and scope["path"] in PROBE_PATHS):
        return refusal
    if encoded:
        return ENCODED_BODY
    if origins:
        return rules.origins.judge(origin, host) if origins == 1 else BAD_ORIGIN
    return None


class Guards:
    """An ASGI application around the application. Refused connections are closed: their framing is in doubt."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._rules = Rules.of(settings)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Not a coroutine function itself: an accepted request pays for the look, not for one more frame."""
        if scope["type"] in ("http", "websocket"):
            verdict = inspect(scope, self._rules)
            if verdict is not None:
                if isinstance(verdict, Shared):
                    return share(self._app, verdict, scope, receive, send)
                return _refuse(verdict, scope, send)
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
        *SECURITY_HEADERS,
        *refusal.headers,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": refusal.body})

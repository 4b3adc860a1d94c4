"""Which pages may call the gateway from a browser: the Origin header, preflights, and what a browser is told.

No credential of a browser is ever shared: keys travel in headers that a page sets itself, so cookies are for pages of
the gateway's own origin alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from routeiq.server.refusals import NOT_OUR_ORIGIN, SECURITY_HEADERS, Header, Refusal

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_ASKED_HEADER = re.compile(
    r"(?:authorization|content-type|accept|api-key|ocp-apim-subscription-key|idempotency-key|traceparent|tracestate"
    r"|(?:x|openai|anthropic)-[a-z0-9-]{1,60})"
)
_MOST_ASKED = 64
_SHOWN = (
    b"retry-after, x-routeiq-request-id, x-routeiq-model, x-routeiq-decision-id, x-litellm-call-id, "
    b"x-litellm-model-id, x-litellm-model-group, x-litellm-response-cost, x-ratelimit-limit-requests, "
    b"x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens"
)
_PREFLIGHT_SECONDS = b"600"
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


@dataclass(frozen=True, slots=True)
class Shared:
    """A page of an origin that the operator named: its answers may be read by it."""

    origin: bytes

    def headers(self) -> tuple[Header, ...]:
        return (
            (b"access-control-allow-origin", self.origin),
            (b"access-control-expose-headers", _SHOWN),
            (b"vary", b"Origin"),
        )


class Origins:
    """The rules of one listening socket."""

    def __init__(self, allowed: Iterable[str], *, tls: bool) -> None:
        self._allowed = frozenset(origin.encode() for origin in allowed)
        self._own_schemes = (b"https",) if tls else (b"http", b"https")  # a proxy may have taken the TLS off

    def judge(self, origin: bytes, host: bytes) -> Refusal | Shared | None:
        """`None` for a page of the gateway's own, `Shared` for one that was named, else the reason to refuse."""
        if origin in self._allowed:
            return Shared(origin)
        scheme, separator, place = origin.partition(b"://")
        if separator and scheme in self._own_schemes and host:
            default = _DEFAULT_PORTS[scheme]
            if place.removesuffix(default) == host.lower().removesuffix(default):
                return None
        return NOT_OUR_ORIGIN


async def share(app: ASGIApp, shared: Shared, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request of a named origin: its preflight here, all else by the application, with our leave to read it."""
    added = shared.headers()
    asked = _asked(scope) if scope["type"] == "http" and scope["method"] == "OPTIONS" else None
    if asked is not None:
        await send({"type": "http.response.start", "status": 204, "headers": [*_leave(asked), *added]})
        await send({"type": "http.response.body", "body": b""})
        return

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    await app(scope, receive, told)


def _asked(scope: Scope) -> list[str] | None:
    """The headers a preflight asks for; `None` when it is none."""
    preflight, names = False, list[str]()
    for name, value in scope["headers"]:
        if name == b"access-control-request-method":
            preflight = True
        elif name == b"access-control-request-headers":
            names += [part.strip().lower() for part in value.decode("latin-1").split(",")[:_MOST_ASKED]]
    return names if preflight else None


def _leave(asked: list[str]) -> list[Header]:
    granted = [name for name in asked if _ASKED_HEADER.fullmatch(name)]
    headers = [
        *SECURITY_HEADERS,
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
    ]
    if granted:
        headers.append((b"access-control-allow-headers", ", ".join(granted).encode()))
    return headers

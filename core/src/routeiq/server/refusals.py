"""What the edge says when it refuses: a status, a code and a text each, encoded once.

When to refuse is decided in `guards`, `hosts` and `origins`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

Header = tuple[bytes, bytes]

SECURITY_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""What every answer tells a browser: the body is what it says it is, loads nothing, and may not be framed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the edge. `headers` are what it says beyond its body."""

    status: int
    code: str
    body: bytes
    headers: tuple[Header, ...] = ()

    @classmethod
    def of(cls, status: int, code: str, message: str, *headers: Header) -> Refusal:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        return cls(status, code, json.dumps({"error": error}).encode(), headers)


AMBIGUOUS_LENGTH = Refusal.of(400, "ambiguous_length", "Content-Length and Transfer-Encoding may not come together.")
OLD_CHUNKED = Refusal.of(400, "ambiguous_length", "Transfer-Encoding needs HTTP/1.1.")
BAD_TARGET = Refusal.of(400, "bad_target", "The request target must be a path; send the host in the Host header.")
BAD_HOST = Refusal.of(
    400, "bad_host", "The request must carry exactly one Host header: a name or an address, and a port at most."
)
NO_HTTP2 = Refusal.of(400, "http2_not_offered", "HTTP/2 is not offered here; use HTTP/1.1.")
HEAD_TOO_LARGE = Refusal.of(431, "head_too_large", "The request headers are too large.")
ENCODED_BODY = Refusal.of(
    415,
    "encoded_body",
    "Compressed request bodies are not taken; send the body without Content-Encoding.",
    (b"accept-encoding", b"identity"),
)
NOT_OUR_HOST = Refusal.of(
    421,
    "host_not_allowed",
    "This gateway does not answer to the name in the Host header. Its operator may add the name to "
    "routeiq.server.allowed_hosts.",
)
NOT_OUR_ORIGIN = Refusal.of(
    403,
    "origin_not_allowed",
    "Pages of this origin may not call the gateway from a browser. Its operator may add the origin to "
    "routeiq.server.allowed_origins.",
)
BAD_ORIGIN = Refusal.of(400, "bad_origin", "The request must carry at most one Origin header.")

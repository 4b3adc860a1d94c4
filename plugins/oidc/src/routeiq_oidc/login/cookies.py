"""Cookies (RFC 6265): reading them from a request, writing them so that scripts and other sites do not get them.

What is in them is sealed elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from routeiq_sdk.values.http import Headers


def cookies(headers: Headers, name: str) -> Iterator[str]:
    """All values of a cookie; HTTP/2 may split the header."""
    for key, raw in headers.raw:
        if key.lower() == b"cookie":
            for pair in raw.decode("latin-1").split(";"):
                found, equals, value = pair.strip().partition("=")
                if equals and found == name:
                    yield value


def set_cookie(name: str, value: str, *, seconds: int, path: str, secure: bool) -> str:
    """A `Set-Cookie` value; `seconds` of 0 deletes the cookie."""
    flags = "; Secure" if secure else ""
    return f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{flags}"

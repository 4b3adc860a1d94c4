"""One file as an HTTP answer: caching, conditions, and nothing that a browser would run.

Which file it is has been decided before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from routeiq_sdk.values.http import HttpRequest, HttpResponse

_RUN_BY_BROWSERS: Final = frozenset(
    {"text/html", "text/javascript", "text/css", "application/xml", "image/svg+xml", "application/wasm"}
)
_SAFE: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
}


def answer(
    request: HttpRequest, data: bytes, media_type: str, digest: str, *, public: bool, seconds: int
) -> HttpResponse:
    """Status 200 with the bytes, or 304 when the client has them."""
    tag = f'"{digest}"'
    headers = {
        **_SAFE,
        "etag": tag,
        "cache-control": f"{'public' if public else 'private'}, max-age={seconds}, must-revalidate",
    }
    if public:
        headers["access-control-allow-origin"] = "*"
        headers["cross-origin-resource-policy"] = "cross-origin"
    else:
        headers["vary"] = "authorization, x-api-key"
    if media_type in _RUN_BY_BROWSERS:
        media_type = "text/plain"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    if _has(request.headers.get("if-none-match"), tag):
        return HttpResponse(304, b"", headers, media_type)
    return HttpResponse(200, data, headers, media_type)


def not_found() -> HttpResponse:
    """Nothing is there, whatever was asked for."""
    error = {"message": "There is no such skill or file.", "type": "invalid_request_error", "code": "not_found"}
    return HttpResponse.json({"error": error}, 404, {"cache-control": "no-store", **_SAFE})


def _has(told: str | None, tag: str) -> bool:
    """Whether `If-None-Match` names the tag; by weak comparison, as RFC 9110 has it."""
    if told is None:
        return False
    if told.strip() == "*":
        return True
    return tag in (part.strip().removeprefix("W/") for part in told.split(","))

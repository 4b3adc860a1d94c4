"""From a provider's error answer to a class of failure in the field's vocabulary.

What the client is told about it is written in `routeiq.errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from routeiq.egress import EgressRefused, OutOfReach
from routeiq.errors import UpstreamError

log = structlog.get_logger("routeiq.egress")

_NAMES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "APIError",
    404: "NotFoundError",
    408: "Timeout",
    413: "APIError",
    422: "BadRequestError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "BadGatewayError",
    503: "ServiceUnavailableError",
}
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 408,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
}
"""By the type of an error event, which has no HTTP status."""
_CONTEXT = re.compile(
    r"context_length_exceeded|maximum context length|context window|prompt is too long|too many tokens|"
    r"input length and .?max_tokens.? exceed",
    re.IGNORECASE,
)
_CONTENT = re.compile(r"content_policy_violation|content_filter|content management policy|safety system", re.IGNORECASE)
_LONGEST_MESSAGE = 2000


def egress_refusal(error: EgressRefused) -> UpstreamError:
    """A call that the egress did not let out. What a name resolves to is for the log, not for the client."""
    if isinstance(error, OutOfReach):  # the deployment is sound, and another may be within reach
        why = f"the egress list of {error.tenant!r} (routeiq.egress.tenants) does not cover this deployment"
        return UpstreamError("vetoed", 403, "PermissionDeniedError", why, dispatched=False)
    log.warning("egress refused a provider's address", url=error.url, reason=error.reason)
    why = "the gateway's egress rules refuse this deployment's address"
    return UpstreamError("error", 0, "APIConnectionError", why, dispatched=False)


def http_failure(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The failure that an HTTP error answer means."""
    error = _error_object(body)
    if error is None:
        looks_html = body.lstrip()[:1] == b"<"
        message = (
            "the provider answered with an HTML page" if looks_html else "the provider answered without an error body"
        )
        return UpstreamError(
            "error", status, _NAMES.get(status, "APIError"), message, headers=headers, retry_after=retry_after(headers)
        )
    message = str(error.get("message") or "the provider gave no message")[:_LONGEST_MESSAGE]
    code = error.get("code")
    told = f"{code} {error.get('type')} {message}"
    name = _NAMES.get(status, "InternalServerError" if status >= 500 else "APIError")
    if status in (400, 413, 422) and _CONTEXT.search(told):
        name = "ContextWindowExceededError"
    elif status == 400 and _CONTENT.search(told):
        name = "ContentPolicyViolationError"
    return UpstreamError(
        "error",
        status,
        name,
        message,
        type=_text(error.get("type")),
        code=_text(code),
        param=_text(error.get("param")),
        headers=headers,
        retry_after=retry_after(headers),
    )


def stream_failure(error: Mapping[str, Any]) -> UpstreamError:
    """The failure that an error event inside a stream means."""
    code = error.get("code")
    said = int(code) if isinstance(code, int | str) and str(code).isdigit() else 0
    status = said if 400 <= said < 600 else _STATUSES.get(str(error.get("type")), 500)
    name = _NAMES.get(status, "InternalServerError" if status >= 500 else "APIError")
    message = str(error.get("message") or "the provider broke off the stream")[:_LONGEST_MESSAGE]
    return UpstreamError("error", status, name, message, type=_text(error.get("type")), code=_text(code))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asks us to wait, from `retry-after-ms` or `retry-after`; dates are ignored."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is not None:
            try:
                seconds = float(value) * unit
            except ValueError:
                continue
            if 0 <= seconds < float("inf"):
                return seconds
    return None


def _error_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    error = document.get("error", document)
    if isinstance(error, str):
        return {"message": error}
    if isinstance(error, dict) and ("message" in error or "type" in error or "code" in error):
        return error
    detail = document.get("detail")
    return {"message": detail if isinstance(detail, str) else orjson.dumps(detail).decode()} if detail else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

"""From litellm's exceptions to the one failure of a call: what the provider said, under the class litellm gives it.

What the client is told about it is written in `routeiq.errors`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from routeiq.errors import UpstreamError
from routeiq.upstream.classify import egress_refusal, http_failure, retry_after, stream_failure
from routeiq.wires.sse import SseSplitter, parse_frame

if TYPE_CHECKING:
    from routeiq.upstream.litellm_line import Line

_LONGEST_MESSAGE = 2000
_LONGEST_REASON = 200
_SHORTEST_SECRET = 6
# Classes that say no more than the status does; the gateway's own word for the status is as good.
_PLAIN = frozenset(
    {
        "APIConnectionError",
        "APIError",
        "APIResponseValidationError",
        "BadRequestError",
        "InternalServerError",
        "PermissionDeniedError",
        "UnprocessableEntityError",
    }
)
_PREFIX = re.compile(r"^(?:litellm\.[A-Za-z]+: |[A-Za-z_]+(?:Error|Exception):? (?:- )?)+")
_SUFFIX = re.compile(
    r"(?:\n?\s*(?:LiteLLM Retried|LiteLLM Max Retries|LiteLLM Debug|Received Model Group|Give Feedback|Traceback|"
    r"Original exception|File \").*)$",
    re.DOTALL,
)


def garbage(message: str) -> UpstreamError:
    """An answer that cannot be read."""
    return UpstreamError("garbage", 200, "BadGatewayError", message)


def failure(error: Exception, line: Line, secrets: Iterable[str]) -> UpstreamError:
    """What an exception of litellm's means."""
    if isinstance(error, UpstreamError):
        return error
    if line.failure is not None:
        return _broken(line.failure)
    cause = getattr(error, "original_exception", None)  # its wrapper for failures inside a stream
    told = _told(cause if isinstance(cause, Exception) else error, line)
    told.message = _without(told.message, secrets)[:_LONGEST_MESSAGE]
    told.args = (f"{told.name}: {told.message}",)
    return told


def _broken(error: Exception) -> UpstreamError:
    import httpx

    from routeiq.egress import EgressRefused

    match error:
        case EgressRefused():
            return egress_refusal(error)
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return UpstreamError("error", 0, "APIConnectionError", "the provider cannot be reached", dispatched=False)
        case httpx.TimeoutException():
            return UpstreamError("timeout", 0, "Timeout", "the provider was silent for too long")
        case httpx.TransportError():
            return UpstreamError(
                "cut", 0, "APIConnectionError", "the provider closed the connection before its answer was complete"
            )
    return UpstreamError("garbage", 200, "BadGatewayError", str(error))  # an answer beyond the bound


def _told(error: Exception, line: Line) -> UpstreamError:
    name = type(error).__name__
    status = _status(error)
    if line.answer is not None:
        answered = line.answer.status_code
        if answered < 400:
            return UpstreamError("garbage", answered, "BadGatewayError", "the provider answered with a redirect")
        told = http_failure(answered, line.answer.headers, line.answer.content)
        if name not in _PLAIN and status:
            told.name, told.status = name, status
        return told
    message = _SUFFIX.sub("", _PREFIX.sub("", str(getattr(error, "message", error) or error))).strip()
    if name == "Timeout":
        return UpstreamError("timeout", 0, name, "the provider took too long")
    if not line.sent:
        return _said(error, name, status, message, dispatched=False)
    event = _error_event(b"".join(line.tail))
    if event is not None:
        return stream_failure(event)
    if status == 0 or status >= 500 or name == "APIResponseValidationError":
        why = message.partition("\n")[0].partition(", Original Response")[0][:_LONGEST_REASON]
        return garbage(f"the provider's answer cannot be read: {why}")
    return _said(error, name, status, message, dispatched=True)


def _error_event(tail: bytes) -> dict[str, Any] | None:
    """The error object in the last events of a stream; what litellm makes of it depends on the provider."""
    for block in reversed(SseSplitter().feed(tail)):
        data = parse_frame(block)[1]
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            continue
        if isinstance(document, dict) and isinstance(document.get("error"), dict):
            return dict(document["error"])
    return None


def _said(error: Exception, name: str, status: int, message: str, *, dispatched: bool) -> UpstreamError:
    if status == 0:
        name, status = "InternalServerError", 500
    headers = dict(getattr(getattr(error, "response", None), "headers", None) or {})
    return UpstreamError(
        "error",
        status,
        name,
        message or "the provider gave no message",
        type=_text(getattr(error, "type", None)),
        code=_text(getattr(error, "code", None)),
        param=_text(getattr(error, "param", None)),
        headers=headers,
        retry_after=retry_after(headers),
        dispatched=dispatched,
    )


def _status(error: Exception) -> int:
    status = getattr(error, "status_code", None)
    try:
        return int(status) if status is not None else 0
    except (TypeError, ValueError):
        return 0


def _without(message: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            message = message.replace(secret, "[redacted]")
    return message


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

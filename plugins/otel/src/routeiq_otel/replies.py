"""What receivers answer: how much of an export they refused, and when they want to be asked again.

Source: OTLP 1.x specification, "Partial success" and "Retryable errors"; google.rpc.Status and RetryInfo.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from routeiq_otel.protobuf import fields

_RETRY_INFO = b"google.rpc.RetryInfo"


class Unavailable(Exception):
    """The receiver cannot take it now. `after` is when it wants to be asked again, in seconds."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Refused(Exception):
    """The receiver will never take it."""


def rejected(answer: bytes) -> tuple[int, str]:
    """How many items of an export were refused, and why. An answer that is none of OTLP's refuses nothing."""
    many, why = 0, ""
    try:
        for number, value in fields(answer):
            if number == 1 and isinstance(value, bytes):
                for inner, told in fields(value):
                    if inner == 1 and isinstance(told, int):
                        many = told
                    elif inner == 2 and isinstance(told, bytes):
                        why = told.decode("utf-8", "replace")
    except ValueError:
        return 0, ""
    return (many, why) if many < 1 << 63 else (0, why)


def retry_after(told: str | None) -> float | None:
    """Seconds from a `Retry-After` header: a number or a date."""
    if told is None:
        return None
    if told.strip().isdecimal():
        return float(told)
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return None
    now = datetime.now(at.tzinfo or UTC)
    return max((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds(), 0.0)


def retry_delay(status: bytes) -> float | None:
    """Seconds from the `RetryInfo` in a gRPC status with details; `None` when there is none."""
    try:
        for number, detail in fields(status):
            if number == 3 and isinstance(detail, bytes):
                parts = dict(fields(detail))
                kind, value = parts.get(1), parts.get(2)
                if isinstance(kind, bytes) and kind.endswith(_RETRY_INFO) and isinstance(value, bytes):
                    delay = dict(fields(value)).get(1, b"")
                    moment = dict(fields(delay)) if isinstance(delay, bytes) else {}
                    seconds, nanos = moment.get(1, 0), moment.get(2, 0)
                    if isinstance(seconds, int) and isinstance(nanos, int):
                        return seconds + nanos * 1e-9
    except ValueError:
        return None
    return None

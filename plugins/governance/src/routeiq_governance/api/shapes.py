"""LiteLLM's ways of writing things down: dollars, durations, times, JSON bodies, pages.

What a field means belongs to the module of its resource.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from routeiq_governance.identity.durations import DURATION, NANO, later, resets_at, window
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

__all__ = [
    "answer",
    "body_of",
    "dollars",
    "duration",
    "flag_of",
    "iso",
    "iso_or_none",
    "later",
    "nano",
    "page_of",
    "resets_at",
    "timestamp",
    "window",
    "wrong",
]
_MOST_DOLLARS = Decimal(9_000_000_000)
_WORDS = {"hourly": "1h", "daily": "24h", "weekly": "7d", "monthly": "30d"}
_MOST_PAGE = 1000


def body_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON object of a request. Raises `RequestError(400)`."""
    if not request.body:
        return {}
    try:
        value = json.loads(request.body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise RequestError(400, "Invalid JSON payload", param="request_body", code="400") from None
    if not isinstance(value, dict):
        raise RequestError(400, "The body must be a JSON object", param="request_body", code="400")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def answer(value: Any, status: int = 200) -> HttpResponse:
    """A JSON answer."""
    return HttpResponse.json(value, status)


def wrong(name: str, message: str) -> RequestError:
    """The error of a field."""
    return RequestError(400, f"{name}: {message}", param=name, code="400")


def nano(name: str, value: Any) -> int:
    """Dollars of a request as nano-USD; rounded up, so that a tiny amount is not nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong(name, "expected US dollars, a number from 0")
    try:
        dollars = Decimal(str(value))
    except InvalidOperation:
        raise wrong(name, "expected US dollars, a number from 0") from None
    if not dollars.is_finite() or not 0 <= dollars <= _MOST_DOLLARS:
        raise wrong(name, f"expected US dollars from 0 to {_MOST_DOLLARS}")
    return int((dollars * NANO).to_integral_value(rounding="ROUND_CEILING"))


def dollars(amount: int) -> float:
    """Nano-USD as the JSON number that reads back as the same amount (up to 4 million dollars)."""
    return float(Decimal(amount) / NANO)


def duration(name: str, value: Any) -> str:
    """`30s`, `30m`, `30h`, `30d`, `2w`, `1mo`, or LiteLLM's words for them."""
    text = _WORDS.get(value, value) if isinstance(value, str) else value
    if not isinstance(text, str) or not DURATION.fullmatch(text):
        raise wrong(name, "expected a duration such as 30s, 30m, 24h, 30d, 2w or 1mo")
    return text


def timestamp(name: str, value: Any) -> int:
    """An ISO 8601 time as Unix ns; without an offset it is UTC."""
    if not isinstance(value, str):
        raise wrong(name, "expected a time such as 2026-01-31T12:00:00Z")
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise wrong(name, "expected a time such as 2026-01-31T12:00:00Z") from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    if not 1970 <= found.year <= 2250:
        raise wrong(name, "expected a time between 1970 and 2250")
    return int((found - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def iso(at: int) -> str:
    """A Unix time in ns as LiteLLM writes it."""
    micro = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at // 1000)
    return micro.isoformat().replace("+00:00", "Z")


def iso_or_none(at: int | None) -> str | None:
    """`iso`, or `None`."""
    return None if at is None else iso(at)


def page_of(query: Mapping[str, str], size: int = 25) -> tuple[int, int]:
    """Page (from 1) and size of a listing: `page`, `size` or `page_size`."""
    return _whole(query, ("page",), 1, 1_000_000), _whole(query, ("size", "page_size"), size, _MOST_PAGE)


def _whole(query: Mapping[str, str], names: tuple[str, ...], default: int, most: int) -> int:
    for name in names:
        if name in query:
            text = query[name]
            if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:12]) <= most:
                raise wrong(name, f"expected a whole number from 1 to {most}")
            return int(text)
    return default


def flag_of(query: Mapping[str, str], name: str, default: bool = False) -> bool:
    """A parameter that says yes or no."""
    text = query.get(name)
    if text is None:
        return default
    if text.lower() not in ("true", "false", "1", "0"):
        raise wrong(name, "expected true or false")
    return text.lower() in ("true", "1")

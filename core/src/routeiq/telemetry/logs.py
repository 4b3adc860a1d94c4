"""How the gateway logs: structlog as JSON or for a console, one line a request, secrets masked.

Traces and metrics are plugins' business.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from routeiq.known_secrets import conceal, conceal_bytes
from routeiq.telemetry.inert import inert_fields, inert_line
from routeiq_sdk import Secret
from routeiq_sdk.secret import MASK

_PATTERN = r"\b(?:sk|pk|rk|xai|gsk|AIza|ghp|hf)[-_][A-Za-z0-9_\-]{8,}|\b[Bb]earer\s+[A-Za-z0-9._~+/=-]{8,}"
_KEY_LIKE = re.compile(_PATTERN)
_KEY_LIKE_BYTES = re.compile(_PATTERN.encode())

Event = MutableMapping[str, Any]


def set_up(style: str, level: str) -> None:
    """Configure logging for this process. `style` is `json`, `console` or `auto` (console on a terminal)."""
    if style == "auto":
        style = "console" if sys.stderr.isatty() else "json"
    console = [_mask, inert_fields, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    last: list[Any] = console if style == "console" else [_json, inert_line]
    factory: Any = (
        structlog.PrintLoggerFactory(sys.stderr)
        if style == "console"
        else structlog.BytesLoggerFactory(sys.stderr.buffer)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Masked("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class _Masked(logging.Formatter):
    """What libraries log, with their tracebacks: they know nothing of secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def mask(text: str) -> str:
    """`text` with whatever looks like a key, and each secret of the configuration, replaced."""
    return _KEY_LIKE.sub(MASK, conceal(text))


def _mask(logger: Any, method: str, event: Event) -> Event:
    for name, value in event.items():
        if isinstance(value, str):
            if len(value) > 7:
                event[name] = mask(value)
        elif isinstance(value, Secret):
            event[name] = MASK
        elif isinstance(value, BaseException):
            event[name] = mask(f"{type(value).__name__}: {value}")
    return event


def _json(logger: Any, method: str, event: Event) -> bytes:
    line = orjson.dumps(event, default=str)
    if method != "info" or "error" in event or "detail" in event:  # others say what we worded, and are many
        line = conceal_bytes(line)
    # The finished line is searched once, nested values too: cheaper than one search a field, and nothing escapes it.
    return _KEY_LIKE_BYTES.sub(MASK.encode(), line) if _KEY_LIKE_BYTES.search(line) is not None else line

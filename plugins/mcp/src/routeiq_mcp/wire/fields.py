"""Values in HTTP header fields: the protocol's base64 form for what a field cannot hold as it is, and media types.

Which header says what is in `keys`.
"""

from __future__ import annotations

import base64
import re
from typing import Final

_PLAIN: Final = re.compile(r"[\x20-\x7E]*")
_WRAPPED: Final = re.compile(r"=\?base64\?(.*)\?=")

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


def written(value: str) -> str:
    """`value` as a header field holds it."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _WRAPPED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def read(field: str | None) -> str | None:
    """What a header field says; `None` for no header and for a base64 form that is not canonical."""
    if field is None:
        return None
    wrapped = _WRAPPED.fullmatch(field)
    if wrapped is None:
        return field
    try:
        raw = base64.b64decode(wrapped[1], validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == wrapped[1] else None
    except ValueError:
        return None


def accepts(accept: str | None) -> tuple[bool, bool]:
    """Whether an `Accept` header takes JSON, and an event stream."""
    if accept is None:
        return False, False
    if accept in _BOTH:
        return True, True
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    every = "*/*" in kinds
    return (every or JSON in kinds or "application/*" in kinds, every or EVENTS in kinds or "text/*" in kinds)


_BOTH: Final = frozenset({f"{JSON}, {EVENTS}", f"{EVENTS}, {JSON}", "*/*"})


def is_json(content_type: str | None) -> bool:
    """Whether a `Content-Type` is JSON."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == JSON

"""Cursors of lists that are put together from several servers' lists.

A cursor says after which entry a page begins, so that it stays good when the list changes; it grants nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import orjson

from routeiq_mcp.seams import Json, McpError

INVALID = -32602


def page_of(items: Sequence[Json], key: str, cursor: Any, most: int) -> tuple[Sequence[Json], str | None]:
    """A page of `items`, whose names are in their field `key`, and the cursor of the next page. Raises `McpError`."""
    start = _start(items, key, cursor) if cursor is not None else 0
    page = items[start : start + most]
    end = start + len(page)
    if end >= len(items):
        return page, None
    told = orjson.dumps([end, page[-1][key]])
    return page, base64.urlsafe_b64encode(told).decode().rstrip("=")


def _start(items: Sequence[Json], key: str, cursor: Any) -> int:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        end, last = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (TypeError, ValueError, binascii.Error):
        raise McpError(INVALID, "Invalid cursor") from None
    if not isinstance(end, int) or isinstance(end, bool) or end < 0 or not isinstance(last, str):
        raise McpError(INVALID, "Invalid cursor")
    if 0 < end <= len(items) and items[end - 1][key] == last:
        return end
    found = next((number for number, item in enumerate(items, start=1) if item[key] == last), None)
    return min(end, len(items)) if found is None else found

"""The JSON of `/v1/skills` in both forms that Anthropic documents: today's, and that of the beta `skills-2025-10-02`.

Which skills are told of is decided elsewhere.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from routeiq_sdk.values.http import HttpRequest
from routeiq_skills.uploads.home import wrong
from routeiq_skills.uploads.shelf import Record, Version

BETA = "skills-2025-10-02"
_MOST_PAGE, _PAGE = 1000, 20

Json = dict[str, Any]
T = TypeVar("T")


def is_old(request: HttpRequest) -> bool:
    """Whether the client asks in the form of the first beta."""
    told = request.headers.get("anthropic-beta") or ""
    return BETA in (name.strip() for name in told.split(","))


def skill_json(record: Record, *, old: bool) -> Json:
    """A skill."""
    latest = record.latest
    told: Json = {
        "id": record.id,
        "type": "skill",
        "created_at": _moment(record.created_ns),
        "updated_at": _moment(record.updated_ns),
    }
    if old:
        number = str(latest.number) if latest is not None else None
        return {**told, "display_title": record.title, "latest_version": number, "source": "custom"}
    latest_id = latest.id if latest is not None else None
    return {**told, "display_name": record.title, "latest_version_id": latest_id, "source": {"type": "custom"}}


def version_json(record: Record, version: Version, *, old: bool) -> Json:
    """A version of a skill."""
    told: Json = {
        "id": version.id,
        "type": "skill_version",
        "skill_id": record.id,
        "created_at": _moment(version.created_ns),
        "name": record.name,
        "description": version.description,
    }
    return {**told, "directory": record.name, "version": str(version.number)} if old else told


def page_json(request: HttpRequest, things: Sequence[T], key: Callable[[T], str], shape: Callable[[T], Json]) -> Json:
    """A page of a list; the token of the next one names the last thing on this one. Raises `Refused`."""
    limit = request.query.get("limit", str(_PAGE))
    if not limit.isascii() or not limit.isdecimal() or len(limit) > 4 or not 1 <= int(limit) <= _MOST_PAGE:
        raise wrong(f"limit is not a number from 1 to {_MOST_PAGE}")
    start = 0
    token = request.query.get("page")
    if token:
        last = _named(token)
        start = next((number for number, thing in enumerate(things, start=1) if key(thing) == last), -1)
        if start < 0:
            raise wrong("page is not a token of this list")
    page = things[start : start + int(limit)]
    more = start + len(page) < len(things)
    following = f"page_{base64.urlsafe_b64encode(key(page[-1]).encode()).decode()}" if more else None
    return {"data": [shape(thing) for thing in page], "has_more": more, "next_page": following}


def _named(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.removeprefix("page_").encode()).decode()
    except (binascii.Error, ValueError):
        raise wrong("page is not a token of this list") from None


def _moment(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

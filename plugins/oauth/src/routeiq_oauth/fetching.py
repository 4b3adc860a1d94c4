"""JSON documents over the gateway's egress: bounded in size and time, without redirects.

Caching them, and believing them, is their readers' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from routeiq_oauth.resource.strict import strict_json
from routeiq_oauth.urls import origin
from routeiq_sdk import Gateway

TIMEOUT_SECONDS = 5.0
MOST_BYTES = 512 * 1024


class FetchFailed(Exception):
    """The document cannot be had. The text is for our log: it may name the address, never what was sent."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document and how long its server says it is fresh (`max-age` seconds; `None` when it does not say)."""

    value: Any
    max_age: int | None


async def fetch_json(
    gateway: Gateway, url: str, *, written: Iterable[str] = (), most_bytes: int = MOST_BYTES
) -> Document:
    """The JSON at `url`. `written` are URLs that the operator wrote: only their origins may be on private addresses.

    Raises `FetchFailed`, of whatever kind the failure is.
    """
    try:
        untrusted = origin(url) not in {origin(known) for known in written}
        async with asyncio.timeout(TIMEOUT_SECONDS):
            call = gateway.egress.call(
                "GET",
                url,
                headers={"accept": "application/json"},
                timeout_seconds=TIMEOUT_SECONDS,
                max_bytes=most_bytes,
                untrusted=untrusted,
            )
            async with call as response:
                status, raw = response.status, await response.read()
                freshness = response.headers.get("cache-control", "")
    except Exception as error:  # the door's own errors, the network's and time-outs: all mean that it cannot be had
        raise FetchFailed(f"{url}: {type(error).__name__}: {error}") from None
    if status != 200:
        raise FetchFailed(f"{url} answered {status}")
    if len(raw) > most_bytes:
        raise FetchFailed(f"{url} is larger than {most_bytes} bytes")
    try:
        return Document(strict_json(raw), _max_age(freshness))
    except (ValueError, RecursionError):
        raise FetchFailed(f"{url} answered with something that is no JSON") from None


def _max_age(header: str) -> int | None:
    for part in header.lower().split(","):
        name, _, value = part.strip().partition("=")
        if name in ("no-store", "no-cache"):
            return 0
        if name == "max-age" and value.isdecimal() and len(value) < 10:
            return int(value)
    return None

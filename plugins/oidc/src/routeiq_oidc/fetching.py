"""JSON documents of an issuer over the gateway's egress: bounded in size and time, without redirects.

Caching them is their readers' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from routeiq_oidc.tokens.strict import strict_json
from routeiq_sdk import Gateway

TIMEOUT_SECONDS = 5.0
MOST_BYTES = 512 * 1024


class FetchFailed(Exception):
    """The document cannot be had. The text is for our log: it may name the address, never what was sent."""


class Answered(FetchFailed):
    """The issuer answered, with an error. `body` is its JSON, as far as it was any."""

    def __init__(self, message: str, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        super().__init__(message)


async def fetch_json(
    gateway: Gateway,
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Any:
    """The JSON at `url`. Raises `FetchFailed`, of whatever kind the failure is."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            call = gateway.egress.call(
                method,
                url,
                headers={"accept": "application/json", **(headers or {})},
                body=body,
                timeout_seconds=TIMEOUT_SECONDS,
                max_bytes=MOST_BYTES,
                untrusted=True,  # a discovery document is somebody's answer: it must not lead to the operator's servers
            )
            async with call as response:
                status, raw = response.status, await response.read()
    except Exception as error:  # the door's own errors, the network's and time-outs: all mean that it cannot be had
        raise FetchFailed(f"{url}: {type(error).__name__}: {error}") from None
    try:
        value = strict_json(raw)
    except (ValueError, RecursionError):
        value = None
    if status != 200:
        raise Answered(f"{url} answered {status}", status, value)
    if value is None:
        raise FetchFailed(f"{url} answered with something that is no JSON")
    return value

"""Reads a request body within its bounds: bytes and seconds.

What the body means is not looked at here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class TooLarge(Exception):
    """The body is larger than allowed."""


class TooSlow(Exception):
    """The body did not arrive in time."""


class ClientGone(Exception):
    """The client went away."""


async def read_body(receive: Receive, most_bytes: int, seconds: float, told_length: int | None) -> bytes:
    """The whole body. Raises `TooLarge` (at once, when the client's own content-length says so), `TooSlow` or
    `ClientGone`."""
    if told_length is not None and told_length > most_bytes:
        raise TooLarge
    parts: list[bytes] = []
    size = 0
    more = True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                size += len(part)
                if size > most_bytes:
                    raise TooLarge
                parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError:
        raise TooSlow from None
    return parts[0] if len(parts) == 1 else b"".join(parts)

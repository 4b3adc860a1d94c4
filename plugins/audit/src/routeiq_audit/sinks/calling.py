"""One HTTP call of a sink through the gateway's egress, with the network's failures told as a sink tells them.

What an answer means is the business of the sink that asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_sdk import Gateway, RouteIQError

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_ANSWER = 65_536
_LONGEST_TOLD = 300.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (in any case) and the first 64 KiB of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def passes(self) -> bool:
        """Whether it is a failure that passes by itself."""
        return self.status in _PASSING

    @property
    def retry_after(self) -> float | None:
        """Seconds that it asks to be left alone, 300 at most."""
        told = self.headers.get("retry-after", "").strip()
        return min(float(told), _LONGEST_TOLD) if told.isascii() and told.isdecimal() else None


async def call(
    gateway: Gateway, sink: str, method: str, url: str, *, headers: Mapping[str, str], body: bytes, seconds: float
) -> Answer:
    """The answer to one request of `sink` (its name, for errors), within `seconds`.

    Raises `SinkUnavailable` when there is none, `SinkRefused` when the gateway's own rules forbid the address.
    """
    try:
        async with gateway.egress.call(
            method, url, headers=headers, body=body or None, timeout_seconds=seconds
        ) as response:
            told = bytearray()
            async for chunk in response.chunks():
                told += chunk
                if len(told) >= _LONGEST_ANSWER:
                    break
            return Answer(response.status, response.headers, bytes(told))
    except RouteIQError as error:
        raise SinkRefused(f"{sink}: {error}") from error
    except Exception as error:  # the engine's own errors of connections, which have no common base
        reason = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__
        raise SinkUnavailable(f"{sink} cannot be reached ({reason.rstrip(': ')})") from error

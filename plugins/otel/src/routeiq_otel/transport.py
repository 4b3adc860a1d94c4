"""Ways to a receiver. This one is OTLP over HTTP, through the gateway's egress; gRPC is in `grpc_transport`.

When to send again is the outbox's business.
"""

from __future__ import annotations

import gzip
from typing import Protocol

from routeiq_otel.privacy import shown
from routeiq_otel.replies import Refused, Unavailable, rejected, retry_after
from routeiq_otel.settings import Destination
from routeiq_sdk import Gateway

_AGAIN = frozenset({429, 502, 503, 504})
_MOST_ANSWER = 64 * 1024
_QUOTED = 200


class Transport(Protocol):
    """Sends one export."""

    async def send(self, body: bytes) -> tuple[int, str]:
        """How many items the receiver refused, and why. Raises `Unavailable` or `Refused`."""

    async def close(self) -> None:
        """Give back what is held."""


class HttpTransport:
    """POSTs protobuf messages."""

    def __init__(self, gateway: Gateway, to: Destination) -> None:
        self._egress = gateway.egress
        self._to = to

    async def send(self, body: bytes) -> tuple[int, str]:
        """Send an export."""
        to = self._to
        headers = {name: value.reveal() for name, value in to.headers.items()}
        headers["content-type"] = "application/x-protobuf"
        if to.gzip:
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, 1)
        try:
            async with self._egress.call(
                "POST",
                to.url,
                headers=headers,
                body=body,
                timeout_seconds=to.timeout_seconds,
                max_bytes=_MOST_ANSWER,
            ) as answer:
                status, answered, again = answer.status, await answer.read(), answer.headers.get("retry-after")
        except Exception as error:  # names that do not resolve, refused connections, time-outs, the egress' own refusal
            raise Unavailable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from None
        if status in _AGAIN:
            raise Unavailable(f"HTTP status {status}", retry_after(again))
        if not 200 <= status < 300:
            raise Refused(f"HTTP status {status}: {shown(answered[:_QUOTED].decode('utf-8', 'replace'))}")
        return rejected(answered)

    async def close(self) -> None:
        """Nothing is held."""

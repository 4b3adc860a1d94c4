"""What every sink promises: to take a sealed object once, however often it is handed over.

When and how often is the shipper's business.
"""

from __future__ import annotations

from typing import Protocol

from routeiq_audit.sealed import Sealed
from routeiq_sdk import Gateway, RouteIQError


class SinkUnavailable(RouteIQError):
    """The sink cannot take it now; it is handed over again, after `retry_after` seconds when the sink said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class SinkRefused(RouteIQError):
    """The sink has something else under this name, or may not be written to. Trying again helps only once somebody
    mended it; the message says what."""


class Sink(Protocol):
    """Keeps sealed objects. `ship` returns once the object is safe there; the second time for one name it changes
    nothing."""

    @property
    def name(self) -> str:
        """For logs and health: kind and place, no secrets."""

    @property
    def origins(self) -> tuple[str, ...]:
        """URLs of the operator that it calls."""

    async def open(self, gateway: Gateway) -> None:
        """Get ready. Raises `PluginError` for what no retry mends."""

    async def ship(self, sealed: Sealed) -> None:
        """Keep an object, then its manifest, then (where objects are kept under names) the public key and the chain's
        head, which replaces the one before. Raises `SinkUnavailable` or `SinkRefused`."""

    async def close(self) -> None:
        """Let go of what `open` took."""

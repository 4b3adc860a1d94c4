"""What every target does: take finished requests in batches, all of them or an error.

Queues and retries are `telling`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from routeiq_callbacks.payload import Finished
from routeiq_sdk import Gateway, RouteIQError

SECONDS = 20.0


class NotTaken(RouteIQError):
    """The target did not take a batch; trying again may help."""


class Target(Protocol):
    """One destination."""

    @property
    def name(self) -> str:
        """For logs and health: kind and place, no secrets."""

    @property
    def origins(self) -> tuple[str, ...]:
        """URLs of the operator that it calls."""

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> None:
        """Tell them. What was told before may be told again, under the same ids. Raises `NotTaken` or `OSError`."""


async def send(
    gateway: Gateway, method: str, url: str, headers: Mapping[str, str], body: bytes, taken: Sequence[int] = ()
) -> bytes:
    """One call; its answer. Raises `NotTaken` unless it was answered 2xx or with one of `taken`."""
    async with gateway.egress.call(method, url, headers=headers, body=body, timeout_seconds=SECONDS) as answer:
        told = await answer.read()
        if not (200 <= answer.status < 300 or answer.status in taken):
            raise NotTaken(f"{url.partition('?')[0]} answered {answer.status}")
        return told

"""What every way of calling a provider has in common: the call and the reply.

Which deployment is called, and whether again, is decided in `routeiq.request.attempts`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from routeiq.egress import Reach
from routeiq.wires.body import Body
from routeiq_sdk import Attempt, Context, Deployment


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete answer: `body` is JSON in `wire`. `headers` are the provider's own."""

    wire: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Stream(Protocol):
    """A running answer in `wire`. The first block has arrived already, so that a failure before it can fall back."""

    @property
    def wire(self) -> str:
        """The protocol of the blocks."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The provider's own headers."""

    def blocks(self) -> AsyncIterator[bytes]:
        """Blocks of complete server-sent events. Raises `UpstreamError` when the provider breaks off."""

    async def close(self) -> None:
        """Give the connection back, or cut it when the answer is not over."""


Reply = Whole | Stream


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request to a provider, ready to be sent."""

    path: str
    headers: dict[str, str]
    body: bytes


class Codec(Protocol):
    """Speaks one provider wire."""

    @property
    def wire(self) -> str:
        """Its name in `Deployment.wire`."""

    def accepts(self, client_wire: str) -> bool:
        """Whether it can serve a client of this wire, by bytes or by translation."""

    def call(self, deployment: Deployment, attempt: Attempt, body: Body) -> HttpCall:
        """Write the provider's request. Raises `RequestError` when the request cannot be said on this wire."""

    def reply_wire(self, client_wire: str) -> str:
        """The wire in which the provider will answer that client."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one exchange: seconds to connect, seconds until the whole answer or the first event, seconds between
    reads of a stream, the largest whole answer in bytes, and what the caller's tenant is confined to."""

    connect: float
    answer: float
    idle: float
    max_bytes: int
    reach: Reach | None = None


class Adapter(Protocol):
    """Calls a deployment and brings back its reply."""

    async def exchange(
        self, ctx: Context, deployment: Deployment, attempt: Attempt, body: Body, limits: Limits
    ) -> Reply:
        """One call on behalf of `ctx`. Raises `UpstreamError`, or `RequestError` when the request itself cannot be
        said."""

    async def close(self) -> None:
        """Let go of what it holds."""

"""How a server behind the gateway is doing: small counters around its `Upstream`, for the page of health.

Metrics and spans are made of events by the plugins that keep them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from routeiq_mcp.seams import Era, Json, McpError, Peer, ServerFacts, Upstream
from routeiq_mcp.upstream.failures import Failure
from routeiq_sdk import Context, RequestError
from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.delegation import ConsentNeeded


@dataclass(frozen=True, slots=True)
class Health:
    """Since the server was opened, in this process. Times are Unix time in nanoseconds."""

    calls: int = 0
    errors: int = 0
    """Calls that ended without an answer of the server, or with one that is not the protocol's."""
    last_error: str | None = None
    """The kind of the last of them, such as `late` or `away`; never its text."""
    last_error_at: int | None = None
    last_seen_at: int | None = None
    """When the server last answered."""
    era: Era | None = None
    version: str | None = None


class WatchedUpstream:
    """An `Upstream` that counts."""

    def __init__(self, inner: Upstream, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._calls = 0
        self._errors = 0
        self._last_error: str | None = None
        self._last_error_at: int | None = None
        self._last_seen_at: int | None = None

    @property
    def name(self) -> str:
        """The server's name."""
        return self._inner.name

    @property
    def health(self) -> Health:
        """How it is doing now."""
        return Health(
            self._calls,
            self._errors,
            self._last_error,
            self._last_error_at,
            self._last_seen_at,
            getattr(self._inner, "era", None),
            getattr(self._inner, "version", None),
        )

    async def facts(self, ctx: Context) -> ServerFacts:
        """What the server says of itself."""
        self._calls += 1
        try:
            facts = await self._inner.facts(ctx)
        except Exception as error:
            self._note(error)
            raise
        self._last_seen_at = self._clock.now_ns()
        return facts

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """Ask the server."""
        self._calls += 1
        try:
            result = await self._inner.request(ctx, method, params, peer)
        except Exception as error:
            self._note(error)
            raise
        self._last_seen_at = self._clock.now_ns()
        return result

    def listen(self, ctx: Context, wanted: Json) -> AsyncIterator[tuple[str, Json]]:
        """Listen to the server; what comes of it is not counted."""
        return self._inner.listen(ctx, wanted)

    async def close(self) -> None:
        """Close the server's connections."""
        await self._inner.close()

    def _note(self, error: Exception) -> None:
        if isinstance(error, ConsentNeeded | RequestError):
            return  # the caller's matter, or the authorization server's
        if isinstance(error, McpError) and not isinstance(error, Failure):
            self._last_seen_at = self._clock.now_ns()  # the server itself said no
            return
        self._errors += 1
        self._last_error = error.kind if isinstance(error, Failure) else type(error).__name__
        self._last_error_at = self._clock.now_ns()

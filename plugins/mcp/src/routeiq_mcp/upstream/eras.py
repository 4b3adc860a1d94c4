"""Which era a server speaks: asked once, remembered for a while, asked again when the server behaves otherwise.

The question itself is `server/discover`; how it travels is the transport's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from routeiq_mcp.seams import Era, Json, McpError
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.failures import Failure
from routeiq_mcp.upstream.modern import Declined
from routeiq_mcp.upstream.words import SERVER_ERROR, era_of
from routeiq_mcp.wire import versions
from routeiq_mcp.wire.codes import INVALID_REQUEST, METHOD_NOT_FOUND, UNSUPPORTED_VERSION
from routeiq_sdk import Context
from routeiq_sdk.gateway import Clock

REMEMBERED_SECONDS: Final = 900.0
PROBE_SECONDS: Final = 10.0

_NO_VERDICT = frozenset({408, 429, 502, 503, 504})
_OF_ANOTHER_ERA = frozenset({INVALID_REQUEST, SERVER_ERROR, UNSUPPORTED_VERSION})
_STATUSES_OF_ANOTHER_ERA = frozenset({400, 404, 405, 406, 415, 422})
_NOT_MODERN = frozenset({"late", "not_json", "content_type", "protocol"})

Probe = Callable[[Context, str], Awaitable[Json]]
"""Asks `server/discover` in a version. Raises `Declined`, `McpError`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The era, and the version to speak (in the legacy era: to offer)."""

    era: Era
    version: str


class Eras:
    """What is known of one server."""

    def __init__(self, server: str, pinned: str | None, probe: Probe, clock: Clock) -> None:
        self._server = server
        self._pinned = None if pinned is None else Verdict(era_of(pinned), pinned)
        self._probe = probe
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: Verdict | None = None
        self._until = 0.0

    @property
    def known(self) -> Verdict | None:
        """What was found out last."""
        return self._pinned or self._known

    async def verdict(self, ctx: Context) -> Verdict:
        """How to speak to the server. Raises `McpError` for one that speaks no version that we know, or does not
        answer."""
        if self._pinned is not None:
            return self._pinned
        async with self._lock:
            if self._known is None or self._clock.monotonic() >= self._until:
                self._known = await self._find_out(ctx)
                self._until = self._clock.monotonic() + REMEMBERED_SECONDS
            return self._known

    async def again(self, ctx: Context, used: Verdict) -> Verdict:
        """The server answered as one of another era would: ask it again, unless that was done meanwhile."""
        if self._known is used:
            self._until = 0.0
        return await self.verdict(ctx)

    async def _find_out(self, ctx: Context) -> Verdict:
        version = versions.MODERN[-1]
        for _ in range(2):
            offered: Any = None
            try:
                offered = (await self._probe(ctx, version)).get("supportedVersions")
            except Declined as declined:
                if declined.error is None and declined.status in _NO_VERDICT:
                    raise declined.for_caller(self._server) from None
                offered = _offered(declined.error)
            except Failure as failure:
                if failure.kind not in _NOT_MODERN:
                    raise
            except McpError as error:
                offered = _offered(error)
            else:
                if isinstance(offered, list) and version in offered:
                    return Verdict("modern", version)
            if not isinstance(offered, list):
                break
            others = [known for known in versions.MODERN if known in offered and known != version]
            if others:
                version = others[-1]
                continue
            if not any(known in offered for known in versions.LEGACY):
                raise failures.no_version(self._server)
            break
        return Verdict("legacy", versions.LEGACY[-1])


def of_another_era(declined: Declined) -> bool:
    """Whether a refusal may come from a server that changed its era; it then did not act on the request."""
    if declined.error is None:
        return declined.status in _STATUSES_OF_ANOTHER_ERA
    return declined.error.code in _OF_ANOTHER_ERA


def handshake_refused(error: McpError) -> bool:
    """Whether the refusal of `initialize` may come from a server that has no handshake any more."""
    return error.code in _OF_ANOTHER_ERA | {METHOD_NOT_FOUND}


def _offered(error: McpError | None) -> Any:
    """The versions in an error about versions."""
    if error is None or error.code != UNSUPPORTED_VERSION or not isinstance(error.data, dict):
        return None
    return error.data.get("supported")

"""Hearing the own stream of a legacy session while a request is under way: many servers ask there, and not on the
request's stream, what they want to know of the client.

What is done with a question is `asking`'s business, and how the stream is read the transport's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final, Protocol

from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_mcp.upstream.asking import Questions
from routeiq_mcp.upstream.failures import SessionLost
from routeiq_sdk import Context, Gateway, RouteIQError

_LINGER_SECONDS: Final = 30.0
"""Longer than people pause between two calls: each need not open the stream anew."""
_OPENING_SECONDS: Final = 1.0
_STREAM_SECONDS: Final = 24 * 3600.0
_ASKED_FOR: Final = frozenset({"elicitation", "sampling", "roots"})


class Session(Protocol):
    """What is heard. `listened` says that somebody hears it, `deaf` that its server has no such stream."""

    listened: bool
    deaf: bool
    asking: list[Questions]


Hear = Callable[[Context, Any, float, asyncio.Event], AsyncGenerator[tuple[str, Json], None]]
"""Reads a session's own stream, hands questions to its requests, and sets the event once the stream is open."""


def may_be_asked(peer: Peer) -> bool:
    """Whether the client said that it can be asked anything."""
    return not _ASKED_FOR.isdisjoint(peer.capabilities)


class Ear:
    """Lends an ear to sessions of one server."""

    def __init__(self, server: str, gateway: Gateway, hear: Hear, linger: float = _LINGER_SECONDS) -> None:
        self._server = server
        self._gateway = gateway
        self._hear = hear
        self._linger = linger

    async def lend(self, ctx: Context, session: Session) -> None:
        """Hear a session from now on, until nobody has called anything in it for a while. A question that comes before
        the stream is open would be lost, so this waits until it is, or cannot be."""
        if session.listened or session.deaf:
            return
        session.listened = True
        opened = asyncio.Event()
        self._gateway.spawn(f"hears {self._server}", partial(self._stay, ctx, session, opened))
        with suppress(TimeoutError):
            async with asyncio.timeout(_OPENING_SECONDS):
                await opened.wait()

    async def _stay(self, ctx: Context, session: Session, opened: asyncio.Event) -> None:
        hearing = asyncio.ensure_future(self._drain(ctx, session, opened))
        try:
            quiet = False
            while not quiet:
                # A request that began and ended meanwhile is not seen; the next one opens the stream again.
                quiet = not session.asking
                await asyncio.wait((hearing,), timeout=self._linger)
                quiet = (quiet and not session.asking) or hearing.done()
        finally:
            hearing.cancel()
            await asyncio.wait((hearing,))
            session.listened = False
            opened.set()

    async def _drain(self, ctx: Context, session: Session, opened: asyncio.Event) -> None:
        """Notifications of this stream are told to those who listen, on streams of their own."""
        with suppress(SessionLost, McpError, RouteIQError):
            async with aclosing(self._hear(ctx, session, _STREAM_SECONDS, opened)) as notifications:
                async for _ in notifications:
                    pass

"""Asks several servers at once for the same kind of list. One that is away takes nothing from the others.

What is made of the lists is the business of whoever asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from routeiq_mcp.hub.lists import Listed
from routeiq_mcp.hub.server import Server, reason_of
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.seams import McpError
from routeiq_sdk import RouteIQError
from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.delegation import ConsentNeeded

T = TypeVar("T")
METHOD_NOT_FOUND = -32601
UNAVAILABLE = "routeiq/unavailable"
"""Key in `_meta` of a list: the servers whose part is missing, with the reason."""
_LATE_SECONDS = 15.0
_LATELY_NS = 3 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Missing:
    """A server whose part is missing."""

    server: str
    reason: str
    needed: ConsentNeeded | None = None
    """It is missing because the caller has to agree first."""

    def told(self) -> dict[str, str]:
        """As clients read it."""
        return {"server": self.server, "reason": self.reason, **({"url": self.needed.url} if self.needed else {})}


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What the servers answered, in their order, and who did not."""

    found: Sequence[tuple[Server, T]]
    missing: Sequence[Missing] = ()


async def ask_all(
    face: FaceSpec, clock: Clock, ask: Callable[[Server], Awaitable[T]], *, absent: T | None = None
) -> Answers[T]:
    """Ask every server of a face. `absent` stands for the answer of a server that does not know the method.

    Of a face that is one server alone the error is raised: an empty list would be a lie.
    """
    if len(face.servers) == 1:
        server = face.servers[0]
        try:
            return Answers(((server, await _asked(server, clock, ask)),))
        except McpError as error:
            if error.code == METHOD_NOT_FOUND and absent is not None:
                return Answers(((server, absent),))
            if face.alone:
                raise
            return Answers((), (_missing(server, error),))
        except (RouteIQError, TimeoutError, OSError) as error:
            if face.alone:
                raise
            return Answers((), (_missing(server, error),))

    async def one(server: Server) -> T | Missing:
        trouble = server.trouble
        if trouble is not None and clock.now_ns() - trouble.at < _LATELY_NS:
            return Missing(server.name, trouble.reason)
        try:
            async with asyncio.timeout(_LATE_SECONDS):
                return await _asked(server, clock, ask)
        except TimeoutError:
            error = McpError(-32603, f"server {server.name} did not answer within {_LATE_SECONDS:.0f} s")
            server.note(error, clock.now_ns())
            return _missing(server, error)
        except McpError as error:
            if error.code == METHOD_NOT_FOUND and absent is not None:
                return absent
            return _missing(server, error)
        except (RouteIQError, OSError) as error:
            return _missing(server, error)

    answers = await asyncio.gather(*(one(server) for server in face.servers))
    return Answers(
        [(server, got) for server, got in zip(face.servers, answers, strict=True) if not isinstance(got, Missing)],
        [got for got in answers if isinstance(got, Missing)],
    )


async def _asked(server: Server, clock: Clock, ask: Callable[[Server], Awaitable[T]]) -> T:
    try:
        answer = await ask(server)
    except Exception as error:
        if not (isinstance(error, McpError) and error.code == METHOD_NOT_FOUND):
            server.note(error, clock.now_ns())
        raise
    server.note(None, clock.now_ns())
    return answer


def _missing(server: Server, error: BaseException) -> Missing:
    return Missing(server.name, reason_of(error), error if isinstance(error, ConsentNeeded) else None)


def caching(lists: Sequence[Listed], missing: Sequence[Missing], now: float, *, public: bool) -> dict[str, Any]:
    """The hints for clients that keep the list: as short as the shortest, and public only where nobody is asked who
    they are."""
    ttl = min((listed.left_ms(now) for listed in lists), default=0)
    shared = public and not missing and all(not listed.private for listed in lists)
    return {"ttlMs": 0 if missing else ttl, "cacheScope": "public" if shared else "private"}

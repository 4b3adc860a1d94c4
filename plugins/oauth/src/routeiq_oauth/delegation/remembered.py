"""Tokens that are fetched again when lost: kept in this process alone, each fetched once however many wait for it.

Tokens that a person gave are never here; see `vault`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from routeiq_oauth.delegation.token_endpoint import Tokens
from routeiq_oauth.delegation.trouble import Away
from routeiq_sdk.gateway import Clock

_MOST = 10_000
_SILENT_SECONDS = 300
"""How long a token is kept whose end nobody told."""


class Remembered:
    """Tokens by key, until shortly before they end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Tokens] = OrderedDict()
        self._fetching: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, fetch: Callable[[], Awaitable[Tokens]], *, instead_of: str | None = None) -> Tokens:
        """The token of `key`, fetched when there is none. `instead_of` is the mark of one that was refused."""
        lock = self._fetching.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                known = self._kept.get(key)
                if known is not None and mark_of(known) != instead_of and self._lasts(known):
                    self._kept.move_to_end(key)
                    return known
                if known is not None and mark_of(known) == instead_of:
                    del self._kept[key]
                    known = None
                try:
                    fresh = await fetch()
                except Away:
                    if known is not None and known.expires_at is not None and self._now() < known.expires_at:
                        return known  # it has some seconds left
                    raise
                self._kept.pop(key, None)
                self._kept[key] = fresh
                while len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
                return fresh
        finally:
            if not lock.locked():
                self._fetching.pop(key, None)

    def forget(self, prefix: str) -> None:
        """Drop the tokens of all keys that begin so."""
        for key in [key for key in self._kept if key.startswith(prefix)]:
            del self._kept[key]

    def _lasts(self, tokens: Tokens) -> bool:
        end = tokens.expires_at if tokens.expires_at is not None else tokens.obtained_at + _SILENT_SECONDS
        return self._now() < end - min(30, (end - tokens.obtained_at) // 10)

    def _now(self) -> int:
        return self._clock.now_ns() // 10**9


def mark_of(tokens: Tokens) -> str:
    """Tells one token from another without being one."""
    return hashlib.sha256(b"mark\0" + tokens.access.reveal().encode()).hexdigest()[:16]

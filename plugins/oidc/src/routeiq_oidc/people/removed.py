"""Users that provisioning deleted: a token or session of theirs that still runs must not create them again.

Deleting and creating users is done elsewhere.
"""

from __future__ import annotations

from routeiq_sdk import Gateway

_TABLE = "oidc.removed"
_KEPT_SECONDS = 8 * 24 * 3600.0
"""Longer than any session lasts."""


class Removed:
    """The ids of deleted users, their own and the issuer's, in the shared state."""

    def __init__(self, gateway: Gateway) -> None:
        self._state = gateway.state

    async def add(self, *ids: str | None) -> None:
        """These users are gone."""
        for id in ids:
            if id is not None:
                await self._state.put(_TABLE, id, b"1", ttl_seconds=_KEPT_SECONDS)

    async def discard(self, *ids: str | None) -> None:
        """These users exist again."""
        for id in ids:
            if id is not None:
                await self._state.delete(_TABLE, id)

    async def holds(self, *ids: str) -> bool:
        """Whether one of these users is gone."""
        for id in ids:
            if await self._state.get(_TABLE, id) is not None:
                return True
        return False

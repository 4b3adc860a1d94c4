"""Delegation as other plugins hold it: offered before set-up, working after it.

What it does is told in `delegation`.
"""

from __future__ import annotations

from collections.abc import Mapping

from routeiq_sdk import Context, PluginError
from routeiq_sdk.values.delegation import Challenge, Delegate, Delegation


class Offered:
    """Hands each call to the delegation that `setup` made."""

    def __init__(self) -> None:
        self.made: Delegation | None = None

    @property
    def _real(self) -> Delegation:
        if self.made is None:
            raise PluginError("oauth", "it was not set up.")
        return self.made

    async def check(self, delegate: Delegate) -> None:
        """See `Delegation.check`."""
        await self._real.check(delegate)

    async def headers(self, ctx: Context, delegate: Delegate, *, refused: Challenge | None = None) -> Mapping[str, str]:
        """See `Delegation.headers`."""
        return await self._real.headers(ctx, delegate, refused=refused)

    async def answered(self, ctx: Context, id: str) -> bool:
        """See `Delegation.answered`."""
        return await self._real.answered(ctx, id)

    async def forget(self, delegate_id: str) -> None:
        """See `Delegation.forget`."""
        await self._real.forget(delegate_id)

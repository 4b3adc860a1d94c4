"""The oauth plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from routeiq_oauth.config import OAuthConfig
from routeiq_oauth.offered import Offered
from routeiq_sdk import Event, Gateway, Plugin, PluginError, hookimpl
from routeiq_sdk.values.delegation import Delegation
from routeiq_sdk.values.http import Routes

if TYPE_CHECKING:
    from routeiq_oauth.parts import Parts


class OAuth(Plugin[OAuthConfig]):
    """OAuth for tools behind RouteIQ."""

    def __init__(self, config: OAuthConfig) -> None:
        super().__init__(config)
        self._made: Parts | None = None
        self._delegation = Offered()

    @property
    def _parts(self) -> Parts:
        if self._made is None:
            raise PluginError("oauth", "it was not set up.")
        return self._made

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        from routeiq_oauth.pages.routes import register

        register(routes, lambda: self._parts.outbound)

    @hookimpl
    def offer_delegation(self) -> Delegation | None:
        return self._delegation

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        from routeiq_oauth.parts import Parts

        self._made = Parts(self.config, gateway)
        await self._made.outbound.open()
        self._delegation.made = self._made.outbound.delegation

    @hookimpl
    async def teardown(self) -> None:
        if self._made is not None:
            await self._made.close()

    @hookimpl
    async def emit(self, events: Sequence[Event]) -> None:
        await self._parts.outbound.heard(events)

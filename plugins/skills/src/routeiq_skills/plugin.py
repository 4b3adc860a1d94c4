"""The skills plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from routeiq_sdk import Gateway, Plugin, PluginError, hookimpl
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import Routes
from routeiq_sdk.values.tools import ToolServer
from routeiq_skills.config import SkillsConfig

if TYPE_CHECKING:
    from routeiq_skills.store.snapshot import Snapshot
    from routeiq_skills.store.store import Store
    from routeiq_skills.uploads.home import Home


class Skills(Plugin[SkillsConfig]):
    """Agent Skills for RouteIQ."""

    def __init__(self, config: SkillsConfig) -> None:
        super().__init__(config)
        self._store: Store | None = None
        self._home: Home | None = None

    @property
    def origins(self) -> Iterable[str]:
        """Where Anthropic's API is."""
        return (self.config.passthrough.api_base,) if self.config.passthrough is not None else ()

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        if self.config.sources:
            from routeiq_skills.faces.discovery import Discovery

            seconds = self.config.refresh_seconds
            Discovery(self._snapshot, public=self.config.public, seconds=seconds).register(routes)
        if self.config.uploads is not None or self.config.passthrough is not None:
            from routeiq_skills.uploads.routes import register

            register(routes, self._uploads)

    @hookimpl
    def offer_tool_servers(self) -> Sequence[ToolServer]:
        if not self.config.sources:
            return ()
        from routeiq_skills.faces.server import SkillServer

        config = self.config
        return (SkillServer(config.server, self._snapshot, public=config.public, seconds=config.refresh_seconds),)

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        from routeiq_skills.opening import home_of, store_of

        self._home = home_of(self.config, gateway)
        if self.config.sources:
            self._store = store_of(self.config)
            await self._store.refresh()
            gateway.spawn("watch the sources of skills", self._store.watch)

    @hookimpl
    async def health_check(self) -> Health:
        return self._store.health() if self._store is not None else Health()

    def _snapshot(self) -> Snapshot:
        if self._store is None:
            raise PluginError("skills", "it was not set up.")
        return self._store.now

    def _uploads(self) -> Home:
        if self._home is None:
            raise PluginError("skills", "it was not set up.")
        return self._home

"""The hub: opens the servers, keeps the picture of them current, and closes them.

What is done with a server is in the modules beside this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from pydantic import ValidationError

from routeiq_mcp.config import McpConfig
from routeiq_mcp.hub.added import Added, Shelf, said
from routeiq_mcp.hub.catalog import Catalogs
from routeiq_mcp.hub.face import Parts
from routeiq_mcp.hub.faces import HubFaces
from routeiq_mcp.hub.facts import Facts
from routeiq_mcp.hub.heads import Heads
from routeiq_mcp.hub.limits import Limits
from routeiq_mcp.hub.listening import CHANGED, Listening
from routeiq_mcp.hub.looking import Looking
from routeiq_mcp.hub.pins import Pins
from routeiq_mcp.hub.registry import Registry
from routeiq_mcp.hub.sealing import Sealer, secret_of
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.skills import Skills
from routeiq_mcp.hub.specs import Opening, inside_server, server_of, spec_of
from routeiq_mcp.hub.things import Things
from routeiq_mcp.hub.tools import Tools
from routeiq_mcp.hub.uris import Remembered
from routeiq_mcp.hub.walking import Walking
from routeiq_mcp.rows import ServerRow
from routeiq_sdk import ConfigError, Gateway, PluginError, RouteIQError

log = structlog.get_logger("routeiq.mcp")


class Hub:
    """All servers, and the faces over them. `opening` opens an upstream."""

    def __init__(self, config: McpConfig, gateway: Gateway, opening: Opening | None = None) -> None:
        self.config = config
        self.gateway = gateway
        self._opening = opening
        self.registry = Registry()
        self.faults: Mapping[str, str] = {}
        """Rows added at run time that cannot be served, with the reason."""
        self.pins = Pins(gateway, config.pins.first_sight)
        self.shelf = Shelf(gateway, Sealer(secret_of(config.encryption_key, gateway.data_dir)))
        self._fixed: list[Server] = []
        self._added: dict[str, tuple[Added, Server]] = {}
        self._taking = asyncio.Lock()
        catalogs, walking = Catalogs(gateway, self.pins), Walking(gateway, Limits(gateway))
        remembered, looking = Remembered(), Looking(gateway)
        bounds: dict[str, Any] = {"page": config.page_size, "recheck": config.pins.recheck_seconds}
        heads = Heads(self.pins, config.pins.recheck_seconds)
        facts = Facts(gateway.clock, looking)
        things = Things(gateway, walking, looking, facts, remembered, heads, **bounds)
        self.parts = Parts(
            gateway=gateway,
            catalogs=catalogs,
            tools=Tools(gateway, catalogs, self.pins, walking, remembered, **bounds),
            things=things,
            skills=Skills(gateway, things, facts, walking, heads, page=config.page_size),
            facts=facts,
            walking=walking,
            listening=Listening(config.listeners),
        )
        self.faces = HubFaces(lambda: self.registry, config.virtual_servers, self.parts)

    async def open(self) -> None:
        """Open all servers; no connection is made. Raises `ConfigError`, `PluginError`, `StoreUnavailable`."""
        for name, row in self.config.servers.items():
            self._fixed.append(await self._open_row(name, row))
        for name, tool_server in self.gateway.tool_servers.items():
            clash = Registry.of(self._fixed).clash((name,))
            if clash is not None or name in self.config.virtual_servers:
                raise PluginError(
                    "mcp",
                    f"a plugin of this gateway offers a server {name!r}, and mcp_servers or virtual_servers has that "
                    "name, too",
                    mend="rename the one in the YAML",
                )
            self._fixed.append(self._open_inside(name, tool_server))
        self.registry = Registry.of(self._fixed)
        for name, virtual in self.config.virtual_servers.items():
            for server in virtual.servers:
                if self.registry.find(server) is None:
                    raise ConfigError(
                        f"routeiq.plugins.mcp.virtual_servers.{name} names the server {server!r}, and there is none",
                        mend=f"known servers: {', '.join(sorted(self.registry.servers)) or 'none'}",
                    )
        await self.pins.kept.open()
        self.pins.kept.changed = self._pins_changed
        self.shelf.kept.changed = self._take
        await self.shelf.kept.open()

    async def close(self) -> None:
        """End sessions and connections."""
        servers = [*self._fixed, *(server for _, server in self._added.values())]
        ended = await asyncio.gather(*(server.upstream.close() for server in servers), return_exceptions=True)
        for server, outcome in zip(servers, ended, strict=True):
            if isinstance(outcome, Exception):
                log.warning("a server was not closed in order", server=server.name, error=type(outcome).__name__)

    async def _open_row(self, name: str, row: ServerRow) -> Server:
        from routeiq_mcp.upstream import check_server

        spec = spec_of(name, row, trusted=True, alias=self.config.alias_of(name))
        await check_server(spec, self.gateway)
        upstream = self._open(spec)
        id, alias = row.server_id or name, self.config.alias_of(name)
        return server_of(name, row, upstream, self.config, self.gateway, source="config", id=id, alias=alias)

    def _open_inside(self, name: str, tool_server: Any) -> Server:
        from routeiq_mcp.upstream import ServerSpec

        upstream = self._open(ServerSpec(name, "inside", inside=tool_server, trusted=True))
        return inside_server(tool_server, upstream, self.config, self.gateway)

    def _open(self, spec: Any) -> Any:
        if self._opening is not None:
            return self._opening(spec, self.gateway)
        from routeiq_mcp.upstream import open_upstream

        return open_upstream(spec, self.gateway)

    async def _take(self) -> None:
        """Take the rows that were added, keeping the servers whose rows did not change."""
        async with self._taking:
            rows = self.shelf.rows()
            old, faults = self._added, dict(self.shelf.faults)
            fixed = Registry.of(self._fixed)
            taken: dict[str, tuple[Added, Server]] = {}
            for id, added in sorted(rows.items(), key=lambda item: (item[1].created_at, item[0])):
                kept = old.get(id)
                if kept is not None and kept[0] == added:
                    taken[id] = kept
                    continue
                try:
                    server = self._open_added(added)
                except ValidationError as error:
                    faults[added.name] = said(error)
                    continue
                except (RouteIQError, ValueError) as error:
                    faults[added.name] = str(error)
                    continue
                clash = fixed.clash((server.name, server.prefix, server.id))
                if clash is not None or server.name in self.config.virtual_servers:
                    faults[added.name] = "the YAML has a server of this name"
                    continue
                taken[id] = (added, server)
            self._added, self.faults = taken, faults
            self.registry = Registry.of([*self._fixed, *(server for _, server in taken.values())])
            gone = [server for id, (_, server) in old.items() if taken.get(id, (None, None))[1] is not server]
        for name, fault in faults.items():
            log.error("a server that was added is not served", server=name, reason=fault)
        self.parts.listening.tell(*CHANGED)
        for server in gone:
            await server.upstream.close()

    def _open_added(self, added: Added) -> Server:
        row = added.row
        upstream = self._open(spec_of(added.name, row, trusted=False))
        return server_of(
            added.name,
            row,
            upstream,
            self.config,
            self.gateway,
            source="added",
            id=added.id,
            alias=row.alias,
        )

    async def _pins_changed(self) -> None:
        self.parts.listening.tell("notifications/tools/list_changed")

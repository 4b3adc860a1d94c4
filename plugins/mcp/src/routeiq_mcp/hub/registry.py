"""Which servers there are now: one immutable picture, swapped whole when a server is added, changed or removed.

Who may use one of them is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from routeiq_mcp.hub.server import Server


@dataclass(frozen=True, eq=False, slots=True)
class Registry:
    """The servers by name, in their order: those of the YAML, those inside the gateway, those added at run time."""

    servers: Mapping[str, Server] = field(default_factory=dict)
    by_any_name: Mapping[str, Server] = field(default_factory=dict)
    groups: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, servers: Iterable[Server]) -> Registry:
        """The picture of some servers. Of two that go by one name the first has it."""
        by_name: dict[str, Server] = {}
        other: dict[str, Server] = {}
        groups: dict[str, list[Server]] = {}
        for server in servers:
            by_name.setdefault(server.name, server)
        for server in by_name.values():
            for name in (server.name, server.prefix, server.id):
                other.setdefault(name, server)
            for group in sorted(server.groups):
                groups.setdefault(group, []).append(server)
        return cls(by_name, {**other, **by_name}, {group: tuple(found) for group, found in groups.items()})

    def find(self, name: str) -> Server | None:
        """A server by name, alias or id."""
        return self.by_any_name.get(name)

    def named(self, names: Iterable[str]) -> tuple[Server, ...]:
        """Servers by their names, aliases, ids or access groups, each once, in the order of the names."""
        found: dict[str, Server] = {}
        for name in names:
            server = self.find(name)
            for each in (server,) if server is not None else self.groups.get(name, ()):
                found.setdefault(each.name, each)
        return tuple(found.values())

    def clash(self, names: Iterable[str], apart: str | None = None) -> str | None:
        """One of `names` that a server other than `apart` or an access group goes by."""
        for name in names:
            server = self.find(name)
            if (server is not None and server.name != apart) or name in self.groups:
                return name
        return None

"""Finds what is served at a path: everything, one server, an access group, or a virtual server.

What of it a caller may use is asked when it is used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from routeiq_mcp.config import VirtualServer
from routeiq_mcp.hub.face import HubFace, Parts
from routeiq_mcp.hub.registry import Registry
from routeiq_mcp.hub.spec import EVERYTHING, FaceSpec
from routeiq_sdk import Context

_SERVERS = "x-mcp-servers"
_GROUPS = "x-mcp-access-groups"
_FACES = 1024


class HubFaces:
    """The faces of the servers that there are now."""

    def __init__(self, registry: Callable[[], Registry], virtual: Mapping[str, VirtualServer], parts: Parts) -> None:
        self._registry = registry
        self._virtual = virtual
        self._parts = parts
        self._made: OrderedDict[tuple[str, ...], HubFace] = OrderedDict()
        self._of: Registry | None = None

    def find(self, ctx: Context, server: str | None) -> HubFace | None:
        """The face at `/{server}/mcp`, or at `/mcp`; `None` when nobody is there, or not for this caller.

        The headers `x-mcp-servers` and `x-mcp-access-groups` narrow a face, and grant nothing.
        """
        registry = self._registry()
        if registry is not self._of:
            self._made.clear()
            self._of = registry
        asked = (ctx.headers.get(_SERVERS), ctx.headers.get(_GROUPS))
        key = (server or "", *(f"={told}" if told is not None else "" for told in asked))
        face = self._made.get(key)
        if face is None:
            spec = self._spec(registry, server, asked)
            if spec is None:
                return None
            face = self._made[key] = HubFace(spec, self._parts)
            while len(self._made) > _FACES:
                self._made.popitem(last=False)
        else:
            self._made.move_to_end(key)
        return face if self._may(ctx, server) else None

    def named(self, name: str) -> FaceSpec | None:
        """A face by name alone, whoever calls."""
        return self._spec(self._registry(), name, (None, None))

    def _may(self, ctx: Context, name: str | None) -> bool:
        virtual = self._virtual.get(name) if name is not None else None
        if virtual is None or not (virtual.teams or virtual.keys or virtual.users):
            return True
        principal = ctx.identified
        if principal is None:
            return False
        return (
            principal.is_admin
            or (principal.team is not None and principal.team in virtual.teams)
            or (principal.user is not None and principal.user in virtual.users)
            or principal.id in virtual.keys
            or (principal.alias is not None and principal.alias in virtual.keys)
        )

    def _spec(self, registry: Registry, name: str | None, asked: tuple[str | None, str | None]) -> FaceSpec | None:
        if name is None or name == EVERYTHING:
            return self._narrowed(FaceSpec(EVERYTHING, tuple(registry.servers.values())), registry, asked)
        virtual = self._virtual.get(name)
        if virtual is not None:
            servers = tuple(found for each in virtual.servers if (found := registry.find(each)) is not None)
            spec = FaceSpec(
                name,
                servers,
                prefixed=virtual.prefix,
                globs=virtual.tools,
                resources=virtual.resources,
                prompts=virtual.prompts,
                virtual=True,
                public=virtual.auth == "none",
                description=virtual.description,
            )
            return self._narrowed(spec, registry, asked)
        alone = registry.find(name)
        if alone is not None:
            return FaceSpec(alone.name, (alone,), prefixed=False)
        several = registry.named(part.strip() for part in name.split(","))
        return self._narrowed(FaceSpec(name, several), registry, asked) if several else None

    def _narrowed(self, spec: FaceSpec, registry: Registry, asked: tuple[str | None, str | None]) -> FaceSpec:
        names = [part.strip() for told in asked if told is not None for part in told.split(",") if part.strip()]
        if asked == (None, None):
            return spec
        wanted = {server.name for server in registry.named(names)}
        servers = tuple(each for each in spec.servers if each.name in wanted)
        return FaceSpec(
            spec.name,
            servers,
            spec.prefixed,
            spec.globs,
            spec.resources,
            spec.prompts,
            spec.virtual,
            spec.public,
            spec.description,
        )

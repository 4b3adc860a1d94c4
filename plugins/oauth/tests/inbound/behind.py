"""A plugin of tests that stands for a protocol's adapter: protected resources, a route that tells who called, a few
gateway keys, and a session in a cookie, which reads but changes nothing without a header."""

from __future__ import annotations

import dataclasses
from typing import Any

from routeiq_sdk import Context, Plugin, PluginConfig, Principal, Reject, RequestError, hookimpl
from routeiq_sdk.values.delegation import ProtectedResource
from routeiq_sdk.values.directory import DirectoryUser
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

RESOURCES = {
    "/mcp": ProtectedResource("/mcp", "Everything", ("read", "write")),
    "/github/mcp": ProtectedResource("/github/mcp", "GitHub", ("read", "write", "offline_access")),
    "/files/mcp": ProtectedResource("/files/mcp", "Files"),
    "/mcp/files": ProtectedResource("/files/mcp", "Files"),
}
KEYS = {
    "sk-ann": Principal("key-ann", user="ann", team="red", organization="acme", models=frozenset({"fast"})),
    "sk-bob": Principal("key-bob", user="bob"),
    "sk-root": Principal("key-root", kind="admin", user="root"),
    "sk-robot": Principal("key-robot", kind="service"),
}


class Behind(Plugin[PluginConfig]):
    """Who calls is told as JSON."""

    people: dict[str, DirectoryUser] = {}

    @hookimpl
    def protected_resource(self, path: str) -> ProtectedResource | None:
        return RESOURCES.get(path)

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        for path in (*RESOURCES, "/plain"):
            for method in ("GET", "POST"):
                routes.add(method, path, self._tell, access="key", summary="Who calls", action="tool:call")

    @hookimpl
    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        if ctx.credential is not None:
            return KEYS.get(ctx.credential.reveal())
        if "session=bob" not in (ctx.headers.get("cookie") or ""):
            return None
        if ctx.method != "GET" and "x-session-csrf" not in ctx.headers:
            return Reject(403, "a session changes nothing without its token")
        return Principal("session:bob", kind="user", user="bob", attributes={"roles": ["proxy_admin"]})

    @hookimpl
    def offer_directory(self) -> Any:
        return People(self.people) if self.people else None

    async def _tell(self, request: HttpRequest) -> HttpResponse:
        principal = request.principal
        assert principal is not None
        wanted = request.query.get("needs", "").split()
        if not set(wanted) <= set(principal.attributes.get("scopes", wanted)):
            raise RequestError(403, "This needs more scopes.", param=" ".join(wanted), code="insufficient_scope")
        told = {field.name: getattr(principal, field.name) for field in dataclasses.fields(principal)}
        told["models"] = sorted(principal.models) if principal.models is not None else None
        return HttpResponse.json({**told, "tags": sorted(principal.tags), "aliases": {}})


class People:
    """As much of a directory as is asked for."""

    def __init__(self, people: dict[str, DirectoryUser]) -> None:
        self._people = people

    async def user(self, id: str) -> DirectoryUser | None:
        """One user by id."""
        return self._people.get(id)

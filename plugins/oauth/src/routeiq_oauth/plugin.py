"""The oauth plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from routeiq_oauth.config import OAuthConfig
from routeiq_oauth.offered import Offered
from routeiq_oauth.resource.metadata import WELL_KNOWN
from routeiq_oauth.server.routes import grant_routes, server_routes
from routeiq_sdk import Context, Event, Gateway, Plugin, PluginError, Principal, Reject, RequestError, hookimpl
from routeiq_sdk.values.delegation import Delegation
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import Handler, HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_oauth.parts import Parts


class OAuth(Plugin[OAuthConfig]):
    """OAuth for tools behind RouteIQ."""

    before = frozenset({"oidc", "governance"})  # a token at a protected resource is judged here, and nowhere else

    def __init__(self, config: OAuthConfig) -> None:
        super().__init__(config)
        self._made: Parts | None = None
        self._delegation = Offered()

    @property
    def _parts(self) -> Parts:
        if self._made is None:
            raise PluginError("oauth", "it was not set up.")
        return self._made

    @property
    def idle_hooks(self) -> frozenset[str]:
        return frozenset() if self.config.has_issuers else frozenset({"authenticate", "challenge", "health_check"})

    @property
    def origins(self) -> Iterable[str]:
        return [url for issuer in self.config.issuers for url in (issuer.issuer, issuer.jwks_url) if url is not None]

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        from routeiq_oauth.pages.routes import register

        register(routes, lambda: self._parts.outbound)
        if self.config.has_issuers:
            for method, path, name, summary in _RESOURCE_ROUTES:
                routes.add(method, path, self._on("metadata", name), access="public", summary=summary)
        if self.config.authorization_server.enabled:
            for method, path, name, summary in server_routes(self.config.authorization_server):
                routes.add(method, path, self._on("server", name), access="public", summary=summary)
            for method, path, name, access, action, summary in grant_routes():
                routes.add(method, path, self._on("server", name), access=access, action=action, summary=summary)

    @hookimpl
    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        return await self._parts.gate.authenticate(ctx)

    @hookimpl
    def challenge(self, ctx: Context, error: RequestError) -> Mapping[str, str] | None:
        return self._parts.challenges.challenge(ctx, error)

    @hookimpl
    async def health_check(self) -> Health:
        missing = self._parts.without_keys()
        return Health("degraded", f"no keys yet of {', '.join(missing)}") if missing else Health()

    @hookimpl
    def offer_delegation(self) -> Delegation | None:
        return self._delegation

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        from routeiq_oauth.parts import Parts

        self._made = parts = Parts(self.config, gateway)
        await parts.open()
        self._delegation.made = parts.outbound.delegation
        if self.config.issuers:
            gateway.spawn("fetch the keys of the authorization servers", parts.warm)

    @hookimpl
    async def teardown(self) -> None:
        if self._made is not None:
            await self._made.close()

    @hookimpl
    async def emit(self, events: Sequence[Event]) -> None:
        await self._parts.heard(events)

    def _on(self, part: str, name: str) -> Handler:
        async def handle(request: HttpRequest) -> HttpResponse:
            handler: Handler = getattr(getattr(self._parts, part), name)
            return await handler(request)

        return handle


_RESOURCE_ROUTES = (
    ("GET", WELL_KNOWN, "root", "What the resource at /mcp says of itself (RFC 9728)"),
    ("GET", WELL_KNOWN + "/{path:path}", "inserted", "What a protected resource says of itself (RFC 9728)"),
)

"""The oidc plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routeiq_oidc.config import OidcConfig
from routeiq_sdk import Context, Gateway, Plugin, PluginError, Principal, Reject, RequestError, hookimpl
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import Handler, HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_oidc.login.routes import Browser
    from routeiq_oidc.parts import Parts
    from routeiq_oidc.scim.access import ScimAccess

_SCIM = "scim:manage"


class Oidc(Plugin[OidcConfig]):
    """Sign-in by OpenID Connect, for people and services, and SCIM 2.0."""

    def __init__(self, config: OidcConfig) -> None:
        super().__init__(config)
        self._made: Parts | None = None
        self._scim: ScimAccess | None = None

    @property
    def _parts(self) -> Parts:
        if self._made is None:
            raise PluginError("oidc", "it was not set up.")
        return self._made

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        if self.config.login is not None:
            for method, path, name, summary in _BROWSER_ROUTES:
                routes.add(method, path, self._browser_route(name), access="public", summary=summary)
        if self.config.scim is not None:
            from routeiq_oidc.scim.access import ScimAccess
            from routeiq_oidc.scim.routes import register

            self._scim = ScimAccess(self.config.scim)
            most = self.config.scim.most
            register(routes, self._scim, most, lambda: self._parts.scim_users(), lambda: self._parts.scim_groups())

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        from routeiq_oidc.parts import Parts

        if self.config.scim is not None and gateway.directory is None:
            raise PluginError(
                gateway.plugin,
                "scim without a directory of users.",
                mend="name a plugin that keeps one, such as governance",
            )
        self._made = Parts(self.config, gateway)
        gateway.spawn("fetch the issuers' keys", self._made.warm)
        gateway.spawn("hear of changes to users", self._made.changes.listen)

    @hookimpl
    async def teardown(self) -> None:
        if self._made is not None:
            await self._made.close()

    @hookimpl
    async def health_check(self) -> Health:
        missing = self._parts.without_keys()
        return Health("degraded", f"no keys yet of {', '.join(missing)}") if missing else Health()

    @hookimpl
    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        from routeiq_oidc.tokens.strict import is_token

        if self._scim is not None and ctx.action == _SCIM:
            client = self._scim.authenticate(ctx.credential)
            if client is not None:
                return client
        try:
            if ctx.credential is None:
                browser = self._parts.browser
                return await browser.authenticate(ctx.headers, ctx.method) if browser is not None else None
            text = ctx.credential.reveal()
            verifier = self._parts.verifier
            if not verifier.providers or not (verifier.remembers(text) or is_token(text)):
                return None
            return await self._parts.principal(text)
        except RequestError as error:
            return Reject(error.status, error.message, error.type, error.param, error.code, headers=error.headers)

    @hookimpl
    async def authorize_action(self, ctx: Context, action: str) -> bool | Reject | None:
        if self._scim is not None and action == _SCIM and self._scim.allows(ctx.principal):
            return True
        return None

    def _browser_route(self, name: str) -> Handler:
        async def handle(request: HttpRequest) -> HttpResponse:
            browser: Browser | None = self._parts.browser
            assert browser is not None
            handler: Handler = getattr(browser, name)
            return await handler(request)

        return handle


_BROWSER_ROUTES = (
    ("GET", "/sso/login", "login", "Sign in with a browser"),
    ("GET", "/sso/callback", "callback", "Where the identity provider sends the browser back"),
    ("POST", "/sso/logout", "logout", "End the session"),
    ("GET", "/routeiq/v1/session", "session", "Who is signed in"),
)

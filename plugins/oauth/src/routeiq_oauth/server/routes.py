"""The server's endpoints: their addresses, what its metadata says of them (RFC 8414, OpenID Connect Discovery), which
part answers.

The answers are the parts' business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from routeiq_oauth.server.config import AuthorizationServer
from routeiq_oauth.server.paths import CLIENTS_PATH
from routeiq_sdk.values.http import Headers, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from routeiq_oauth.parts import Parts

CACHED = {"cache-control": "public, max-age=60"}
JWKS_PATH = "/oauth/jwks"
WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


def server_routes(config: AuthorizationServer) -> Iterator[tuple[str, str, str, str]]:
    """Method, path, method of `Endpoints`, summary."""
    for path in WELL_KNOWN:
        yield "GET", path, "metadata", "What the authorization server says of itself (RFC 8414)"
        yield "GET", path + "/{path:path}", "metadata", "The same, where the gateway's address has a path"
    yield "GET", JWKS_PATH, "jwks", "The keys of the authorization server's tokens"
    yield "GET", "/authorize", "ask", "A client asks for somebody's consent"
    yield "POST", "/authorize", "posted", "A client asks for somebody's consent, by a form"
    yield "POST", "/authorize/answer", "answer", "The person's answer"
    yield "POST", "/token", "token", "A code or a refresh token for an access token"
    yield "POST", "/revoke", "revoke", "The end of a token and its grant (RFC 7009)"
    if config.dynamic_registration:
        yield "POST", "/register", "register", "A client registers itself (RFC 7591)"
    yield "GET", CLIENTS_PATH, "clients", "The clients that may act for the person at the browser, as a page"
    yield "POST", CLIENTS_PATH, "end_client", "Take back what one of them was granted"


def grant_routes() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Method, path, method of `Endpoints`, access, action, summary."""
    yield "GET", "/v1/oauth/grants", "grants", "key", "grant:list", "What the caller granted to clients"
    yield "DELETE", "/v1/oauth/grants/{id}", "end_grant", "key", "grant:delete", "Take a grant back"
    yield (
        "DELETE",
        "/v1/oauth/users/{user}/grants",
        "end_all",
        "admin",
        "grant:manage",
        "End all that a user granted to clients",
    )


class Endpoints:
    """The server as its routes see it."""

    def __init__(self, parts: Parts) -> None:
        from routeiq_oauth.server.authorize import Authorize
        from routeiq_oauth.server.clients import Clients
        from routeiq_oauth.server.consent import Consents
        from routeiq_oauth.server.granted import Granted
        from routeiq_oauth.server.issuing import Issuing
        from routeiq_oauth.server.keys import open_keys
        from routeiq_oauth.server.own import Own
        from routeiq_oauth.server.records import Records
        from routeiq_oauth.server.registration import Registration
        from routeiq_oauth.server.resources import Resources
        from routeiq_oauth.server.tokens import Tokens

        gateway, self._address = parts.gateway, parts.address
        self._config = config = parts.config.authorization_server
        self.keys = open_keys(config, gateway.data_dir, gateway.plugin)
        records = Records(gateway)
        clients = Clients(config, gateway)
        consents = Consents(gateway, config.consent_days)
        authorize = Authorize(
            gateway,
            parts.address,
            parts.keyring,
            parts.browsers,
            clients,
            Resources(gateway, parts.address, config.scopes),
            consents,
            records,
        )
        issuing = Issuing(self.keys, gateway, config.access_token_minutes)
        tokens = Tokens(gateway, parts.address, clients, records, issuing, self.keys, config.refresh_token_days)
        self.own = Own(self.keys, records)
        granted = Granted(records, consents, parts.browsers)
        self.clients, self.end_client = granted.page, granted.end_from_page
        self.grants, self.end_grant, self.end_all = granted.listed, granted.ended, granted.all_ended
        self.forget = granted.forget
        self.ask, self.posted, self.answer = authorize.ask, authorize.posted, authorize.answer
        self.token, self.revoke = tokens.token, tokens.revoke
        self.register = Registration(gateway, clients, config.registrations_per_hour).register

    async def metadata(self, request: HttpRequest) -> HttpResponse:
        """`GET /.well-known/oauth-authorization-server`, with the path of the gateway's address behind it if it has
        one."""
        asked = "/" + request.path_params["path"] if "path" in request.path_params else ""
        if asked not in ("", urlsplit(self._address.base(request.headers)).path):
            return HttpResponse.json({"detail": "Not Found"}, 404)
        return HttpResponse.json(self._describe(request.headers), headers=CACHED)

    async def jwks(self, request: HttpRequest) -> HttpResponse:
        """`GET /oauth/jwks`."""
        return HttpResponse.json(self.keys.document(), headers=CACHED)

    def _describe(self, headers: Headers) -> dict[str, Any]:
        base = self._address.base(headers)
        methods = ["none", "client_secret_basic", "client_secret_post"]
        told: dict[str, Any] = {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": base + JWKS_PATH,
            "revocation_endpoint": f"{base}/revoke",
            "scopes_supported": [*self._config.scopes, "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "authorization_response_iss_parameter_supported": True,
            "client_id_metadata_document_supported": self._config.metadata_documents,
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }
        if self._config.dynamic_registration:
            told["registration_endpoint"] = f"{base}/register"
        return told

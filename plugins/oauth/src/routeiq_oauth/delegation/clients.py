"""Who the gateway is at an authorization server: by configuration, by its metadata document, by registration.

Credentials belong to the issuer that they were made for and go to no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from routeiq_oauth.delegation.config import DelegationConfig
from routeiq_oauth.delegation.discovery import Server, same_issuer
from routeiq_oauth.delegation.outside import Outside, Reach, host_of
from routeiq_oauth.delegation.token_endpoint import configured_client, refusal
from routeiq_oauth.delegation.trouble import Unfit
from routeiq_oauth.vault.grant import AuthMethod, Client
from routeiq_oauth.vault.store import Store
from routeiq_sdk import Gateway, Secret
from routeiq_sdk.values.delegation import Delegate

CALLBACK = "/connections/callback"
METADATA = "/connections/client.json"
_PINNED = "oauth.client_issuers"
_METHODS: Sequence[AuthMethod] = ("client_secret_basic", "client_secret_post", "none")


class Clients:
    """Finds the client for an authorization server, and registers one where nobody knows us."""

    def __init__(self, gateway: Gateway, config: DelegationConfig, store: Store, outside: Outside) -> None:
        self._gateway = gateway
        self._config = config
        self._store = store
        self._outside = outside
        self._registering = asyncio.Lock()

    def document(self, base: str) -> Mapping[str, Any]:
        """Our client metadata document, when the gateway's address is `base`."""
        return {"client_id": self._document_url(base), **self._metadata(base), "token_endpoint_auth_method": "none"}

    async def client(
        self, delegate: Delegate, server: Server, base: str, scopes: Sequence[str], reach: Reach
    ) -> Client:
        """The client to be at `server`. Raises `Away`, `Denied`, `Unfit`, `StoreUnavailable`."""
        configured = configured_client(delegate.auth, server.auth_methods)
        if configured is not None:
            await self._check_issuer(delegate, configured, server)
            return configured
        url = self._document_url(base)
        if server.takes_metadata_documents and url.startswith("https:") and urlsplit(url).path not in ("", "/"):
            return Client(url)
        return await self._registered(server, base, scopes, reach)

    async def forget(self, issuer: str, base: str) -> None:
        """The server does not know the client that we registered."""
        await self._store.keep_client(issuer, base + CALLBACK, None)

    def _document_url(self, base: str) -> str:
        return self._config.client_metadata_url or base + METADATA

    def _metadata(self, base: str) -> dict[str, Any]:
        return {
            "client_name": self._config.client_name,
            "client_uri": base,
            "redirect_uris": [base + CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "application_type": "web" if base.startswith("https:") else "native",
        }

    async def _check_issuer(self, delegate: Delegate, client: Client, server: Server) -> None:
        """A secret of the configuration goes to the issuer that the operator wrote, else to the first one found: an
        upstream that names another server later gets nothing sent there."""
        auth = delegate.auth
        if auth.issuer is not None or auth.token_url is not None or (client.secret is None and client.key is None):
            return
        key = f"{delegate.id}\n{client.id}"
        await self._gateway.state.put_if(_PINNED, key, server.issuer.encode(), expected=None)
        pinned = await self._gateway.state.get(_PINNED, key)
        if pinned is not None and not same_issuer(pinned.decode(), server.issuer):
            raise Unfit(
                f"it names another authorization server ({host_of(server.issuer)}) than the one that client_id belongs "
                "to. If that is right, write issuer beside client_id"
            )

    async def _registered(self, server: Server, base: str, scopes: Sequence[str], reach: Reach) -> Client:
        redirect_uri = base + CALLBACK
        async with self._registering:
            known = await self._store.client(server.issuer, redirect_uri)
            now = self._gateway.clock.now_ns() // 10**9
            if known is not None and not 0 < known.secret_expires_at <= now + 60:
                return known
            if server.registration_endpoint is None:
                raise Unfit(
                    f"the authorization server at {host_of(server.issuer)} registers no clients and takes no metadata "
                    "documents: write client_id"
                )
            asked = self._metadata(base) | {"token_endpoint_auth_method": _method(server.auth_methods)}
            if scopes:
                asked["scope"] = " ".join(scopes)
            answer = await self._outside.post_json(server.registration_endpoint, asked, reach)
            if answer.status not in (200, 201):
                raise refusal(answer, server.registration_endpoint)
            client = _read(answer.body or {}, server)
            await self._store.keep_client(server.issuer, redirect_uri, client)
            return client


def _method(supported: Sequence[str] | None) -> AuthMethod:
    if supported is None:
        return "client_secret_basic"
    return next((method for method in _METHODS if method in supported), "client_secret_basic")


def _read(body: Mapping[str, Any], server: Server) -> Client:
    id, secret, said = (body.get(name) for name in ("client_id", "client_secret", "token_endpoint_auth_method"))
    if not isinstance(id, str) or not id or not (secret is None or isinstance(secret, str)):
        raise Unfit(f"the registration at {host_of(server.issuer)} gave no client_id")
    method: AuthMethod = next((each for each in _METHODS if each == said), "client_secret_basic")
    if not secret:
        method = "none"
    ends = body.get("client_secret_expires_at")
    return Client(
        id,
        method,
        secret=Secret(secret) if secret else None,
        registered=True,
        secret_expires_at=ends if isinstance(ends, int) else 0,
    )

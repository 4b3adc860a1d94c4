"""Who asks for tokens: the operator's clients, those known by their metadata documents, those that registered.

What a client may be granted is the person's decision.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from routeiq_oauth.server.answers import OAuthError
from routeiq_oauth.server.cimd import Documents
from routeiq_oauth.server.config import AuthorizationServer
from routeiq_oauth.server.metadata_of_clients import ClientMetadata
from routeiq_oauth.server.records import hashed
from routeiq_sdk import Gateway

Kind = Literal["configured", "document", "registered"]
REGISTERED = "dcr-"
_TABLE = "oauth.clients"


@dataclass(frozen=True, slots=True)
class Client:
    """A client. `secret` is the hash of its secret; without one it is public."""

    id: str
    kind: Kind
    name: str
    redirect_uris: tuple[str, ...]
    refreshes: bool
    secret: str | None = None


class Clients:
    """Finds clients, and keeps those that registered themselves."""

    def __init__(self, config: AuthorizationServer, gateway: Gateway) -> None:
        self._config = config
        self._gateway = gateway
        self._documents = Documents(gateway)
        self._seconds = config.registered_client_days * 86_400.0

    async def find(self, id: str) -> Client | None:
        """A client by id. Raises `OAuthError` for a metadata document that cannot be had or does not count."""
        static = self._config.clients.get(id)
        if static is not None:
            secret = hashed(static.secret.reveal()) if static.secret is not None else None
            return Client(id, "configured", static.name, static.redirect_uris, True, secret)
        if id.startswith(("https:", "http:")):
            if not self._config.metadata_documents:
                return None
            return _client(id, "document", await self._documents.metadata(id))
        if id.startswith(REGISTERED) and self._config.dynamic_registration:
            raw = await self._gateway.state.get(_TABLE, id)
            return self._unpacked(id, raw) if raw is not None else None
        return None

    async def register(self, metadata: ClientMetadata) -> tuple[Client, str | None]:
        """A new client and its secret, if it wants one."""
        id = REGISTERED + secrets.token_urlsafe(16)
        secret = secrets.token_urlsafe(32) if metadata.auth_method != "none" else None
        client = _client(id, "registered", metadata, hashed(secret) if secret is not None else None)
        await self._keep(client)
        return client, secret

    async def used(self, client: Client) -> None:
        """A registered client is kept for as long as it is used."""
        if client.kind == "registered":
            await self._keep(client)

    async def _keep(self, client: Client) -> None:
        told: Mapping[str, Any] = {
            "name": client.name,
            "redirect_uris": client.redirect_uris,
            "refreshes": client.refreshes,
            "secret": client.secret,
        }
        await self._gateway.state.put(_TABLE, client.id, json.dumps(told).encode(), ttl_seconds=self._seconds)

    def _unpacked(self, id: str, raw: bytes) -> Client | None:
        try:
            told = json.loads(raw)
            uris = tuple(told["redirect_uris"])
            return Client(id, "registered", told["name"], uris, told["refreshes"], told["secret"])
        except (KeyError, TypeError, ValueError):
            return None  # an earlier release wrote it


def authenticate(client: Client, secret: str | None) -> None:
    """Whether it is the client itself that asks. Raises `OAuthError`."""
    if client.secret is None:
        return  # a public client: PKCE and rotation stand in for it
    if secret is None or not hmac.compare_digest(hashed(secret), client.secret):
        raise OAuthError("invalid_client", "the client's secret is missing or wrong", 401)


def _client(id: str, kind: Kind, metadata: ClientMetadata, secret: str | None = None) -> Client:
    return Client(id, kind, metadata.name, metadata.redirect_uris, metadata.refreshes, secret)

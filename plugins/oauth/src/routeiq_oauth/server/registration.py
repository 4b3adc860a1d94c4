"""Dynamic registration (RFC 7591): a fallback for clients that have no metadata document, slow and bounded.

What metadata counts is told in `metadata_of_clients`.
"""

from __future__ import annotations

from typing import Any

from routeiq_oauth.pace import Pace
from routeiq_oauth.resource.strict import strict_json
from routeiq_oauth.server.answers import NO_STORE, OAuthError, as_json
from routeiq_oauth.server.clients import Clients
from routeiq_oauth.server.metadata_of_clients import BadMetadata, read_metadata
from routeiq_sdk import Gateway
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_LONGEST = 16 * 1024
_HOUR = 3600
_ALL_ADDRESSES = 50
"""How many times the pace of one address all of them may register together."""


class Registration:
    """`/register`."""

    def __init__(self, gateway: Gateway, clients: Clients, per_hour: int) -> None:
        self._gateway = gateway
        self._clients = clients
        self._one = Pace(gateway, "register", per_hour, _HOUR)
        self._all = Pace(gateway, "register-all", per_hour * _ALL_ADDRESSES, _HOUR)

    async def register(self, request: HttpRequest) -> HttpResponse:
        """`POST /register`."""
        try:
            return await self._register(request)
        except BadMetadata as error:
            return as_json(OAuthError(error.code, str(error)))
        except OAuthError as error:
            return as_json(error)

    async def _register(self, request: HttpRequest) -> HttpResponse:
        if len(request.body) > _LONGEST:
            raise BadMetadata(f"at most {_LONGEST} bytes")
        try:
            told = strict_json(request.body)
        except (ValueError, RecursionError):
            raise BadMetadata("client metadata is a JSON object") from None
        metadata = read_metadata(told, default_auth="client_secret_basic")
        if not (await self._one.count(request.client) and await self._all.count("")):
            raise OAuthError(
                "temporarily_unavailable", "too many registrations", 429, headers={"retry-after": str(_HOUR)}
            )
        client, secret = await self._clients.register(metadata)
        answer: dict[str, Any] = {
            "client_id": client.id,
            "client_id_issued_at": self._gateway.clock.now_ns() // 10**9,
            "client_name": client.name,
            "redirect_uris": list(client.redirect_uris),
            "grant_types": ["authorization_code", *(["refresh_token"] if client.refreshes else [])],
            "response_types": ["code"],
            "token_endpoint_auth_method": metadata.auth_method,
        }
        if secret is not None:
            answer |= {"client_secret": secret, "client_secret_expires_at": 0}
        return HttpResponse.json(answer, 201, NO_STORE)

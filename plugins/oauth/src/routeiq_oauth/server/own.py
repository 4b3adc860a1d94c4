"""This server's own tokens at the gate: whose they are is told by the grant they name, so a revoked grant ends them.

How they are made is told in `issuing`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from routeiq_oauth.resource.jwk import Key, signer_of
from routeiq_oauth.resource.refusal import Refused
from routeiq_oauth.resource.source import scopes_of
from routeiq_oauth.resource.strict import Token
from routeiq_oauth.server.issuing import KIND
from routeiq_oauth.server.keys import ALGORITHM, SigningKeys
from routeiq_oauth.server.records import Records
from routeiq_sdk import Principal


class Own:
    """The gateway as one of its own issuers."""

    algorithms: Collection[str] = (ALGORITHM,)
    leeway = 5.0

    def __init__(self, keys: SigningKeys, records: Records) -> None:
        self._keys = keys
        self._records = records

    async def verify(self, token: Token) -> Key:
        """See `Source`."""
        if str(token.header.get("typ")).lower() != KIND:
            raise Refused("the token is of a type that opens nothing")
        key = signer_of(token, self._keys.verifying)
        if key is None:
            raise Refused("the token's signature does not fit")
        return key

    def holds(self, thumbprint: str) -> bool:
        """See `Source`."""
        return thumbprint in self._keys.known

    def audiences(self, resources: Collection[str]) -> Collection[str]:
        """The resource, and nothing else."""
        return resources

    async def principal(self, claims: Mapping[str, Any], token_id: str) -> Principal:
        """The person who granted it, with the rights of the credential that signed in, and never an administrator's."""
        id = claims.get("grant")
        grant = await self._records.grant(id) if isinstance(id, str) else None
        if grant is None or grant.client_id != claims.get("client_id") or grant.person.user != claims.get("sub"):
            raise Refused("what was granted has ended or was taken back")
        person = grant.person
        return Principal(
            person.id,
            kind="user",
            alias=person.alias,
            user=person.user,
            team=person.team,
            organization=person.organization,
            models=frozenset(person.models) if person.models is not None else None,
            tags=frozenset(person.tags),
            attributes={
                "auth": "oauth",
                "issuer": claims["iss"],
                "client_id": grant.client_id,
                "scopes": scopes_of(claims),
                "token_id": token_id,
            },
        )

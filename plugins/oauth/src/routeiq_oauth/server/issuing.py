"""Access tokens of this server (RFC 9068): short, for one resource, naming the grant that they live by.

Who may have one is told in `tokens`.
"""

from __future__ import annotations

import json
import secrets

from routeiq_oauth.server.keys import SigningKeys
from routeiq_oauth.server.records import Grant
from routeiq_sdk import Gateway

KIND = "at+jwt"


class Issuing:
    """Makes access tokens."""

    def __init__(self, keys: SigningKeys, gateway: Gateway, minutes: int) -> None:
        self._keys = keys
        self._gateway = gateway
        self.seconds = minutes * 60

    def access_token(self, issuer: str, id: str, grant: Grant, scopes: tuple[str, ...]) -> str:
        """A token for what was granted, or less of it."""
        now = self._gateway.clock.now_ns() // 10**9
        claims = {
            "iss": issuer,
            "sub": grant.person.user,
            "aud": grant.resource,
            "client_id": grant.client_id,
            "scope": " ".join(scopes),
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_urlsafe(16),
            "grant": id,
        }
        return self._keys.sign(json.dumps(claims, separators=(",", ":")).encode(), KIND)

"""What a user's consent gave us: tokens, where they came from, and with which client. Nothing of it can be printed.

How grants are obtained is `delegation`'s business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from routeiq_sdk import Principal, Secret

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose tokens these are. No user can be named like a key: each kind has its prefix."""

    tenant: str
    user: str

    @classmethod
    def of(cls, principal: Principal) -> Owner:
        """The owner that a caller is."""
        user = f"user:{principal.user}" if principal.user is not None else f"key:{principal.id}"
        return cls(principal.organization or principal.team or "-", user)


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are at an authorization server."""

    id: str
    method: AuthMethod = "none"
    secret: Secret | None = None
    key: Secret | None = None
    key_algorithm: str = "ES256"
    key_id: str | None = None
    registered: bool = False
    """It was registered dynamically, so it may be forgotten there."""
    secret_expires_at: int = 0
    """Unix seconds; 0 for never."""

    def packed(self) -> dict[str, Any]:
        """As JSON, to be sealed at once."""
        return {
            "id": self.id,
            "method": self.method,
            "secret": _plain(self.secret),
            "key": _plain(self.key),
            "key_algorithm": self.key_algorithm,
            "key_id": self.key_id,
            "registered": self.registered,
            "secret_expires_at": self.secret_expires_at,
        }

    @classmethod
    def unpacked(cls, value: Mapping[str, Any]) -> Client:
        """What `packed` made."""
        return cls(**{**value, "secret": _secret(value["secret"]), "key": _secret(value["key"])})


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens of one issuer for one resource. Times are Unix seconds; `expires_at` is `None` when nobody said.

    `asked` are the scopes that were asked for, `scopes` those that were given. `stale` says that the upstream refused
    these tokens although they were fresh: the user has to agree again.
    """

    issuer: str
    resource: str | None
    token_endpoint: str
    revocation_endpoint: str | None
    client: Client
    access: Secret
    obtained_at: int
    expires_at: int | None = None
    refresh: Secret | None = None
    scopes: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    stale: bool = False
    redirect_uri: str | None = None
    """With which the client was registered."""
    operator: tuple[str, ...] = ()
    """Origins that the operator wrote, so that they may be private."""

    @property
    def mark(self) -> str:
        """Tells one access token from another without being one."""
        return hashlib.sha256(b"mark\0" + self.access.reveal().encode()).hexdigest()[:16]

    def is_due(self, now: int) -> bool:
        """Whether it ends so soon that it should be refreshed first: the last tenth of its life, at most a minute."""
        if self.expires_at is None:
            return False
        return now >= self.expires_at - min(60, max(1, (self.expires_at - self.obtained_at) // 10))

    def is_over(self, now: int) -> bool:
        """Whether it has ended."""
        return self.expires_at is not None and now >= self.expires_at

    def refused(self) -> Grant:
        """The same, as one that the upstream does not take."""
        return replace(self, stale=True)

    def packed(self) -> bytes:
        """As JSON, to be sealed at once."""
        value = {
            "issuer": self.issuer,
            "resource": self.resource,
            "token_endpoint": self.token_endpoint,
            "revocation_endpoint": self.revocation_endpoint,
            "client": self.client.packed(),
            "access": self.access.reveal(),
            "obtained_at": self.obtained_at,
            "expires_at": self.expires_at,
            "refresh": _plain(self.refresh),
            "scopes": list(self.scopes),
            "asked": list(self.asked),
            "stale": self.stale,
            "redirect_uri": self.redirect_uri,
            "operator": list(self.operator),
        }
        return json.dumps(value, separators=(",", ":")).encode()

    @classmethod
    def unpacked(cls, raw: bytes) -> Grant:
        """What `packed` made."""
        value = json.loads(raw)
        return cls(
            **{
                **value,
                "client": Client.unpacked(value["client"]),
                "access": Secret(value["access"]),
                "refresh": _secret(value["refresh"]),
                "scopes": tuple(value["scopes"]),
                "asked": tuple(value["asked"]),
                "operator": tuple(value["operator"]),
            }
        )


def _plain(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None


def _secret(text: str | None) -> Secret | None:
    return Secret(text) if text is not None else None

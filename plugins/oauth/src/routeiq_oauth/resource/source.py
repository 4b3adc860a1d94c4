"""Whose tokens open resources: what the gate asks of an issuer, and the issuers that the configuration names.

The built-in authorization server is in `server`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from routeiq_oauth.config import Issuer
from routeiq_oauth.resource.claims import subject
from routeiq_oauth.resource.jwk import Key
from routeiq_oauth.resource.keyset import KeySet
from routeiq_oauth.resource.refusal import Refused
from routeiq_oauth.resource.strict import Token
from routeiq_sdk import Gateway, Principal

_MOST_SCOPES = 200


class Source(Protocol):
    """One issuer."""

    @property
    def algorithms(self) -> Collection[str]:
        """The only ones that count."""

    @property
    def leeway(self) -> float:
        """Seconds by which clocks may differ."""

    async def verify(self, token: Token) -> Key:
        """The key that signed a token. Raises `Refused`, `Unavailable`."""

    def holds(self, thumbprint: str) -> bool:
        """Whether a key still is the issuer's."""

    def audiences(self, resources: Collection[str]) -> Collection[str]:
        """What `aud` may be for a resource that has these URLs."""

    async def principal(self, claims: Mapping[str, Any], token_id: str) -> Principal:
        """Who a believed token is. Raises `Refused`, `Unavailable`."""


class Configured:
    """An issuer of the YAML."""

    def __init__(self, issuer: Issuer, gateway: Gateway) -> None:
        self._issuer = issuer
        self.keys = KeySet(issuer, gateway)

    @property
    def label(self) -> str:
        """What the log calls it."""
        return self._issuer.label

    @property
    def algorithms(self) -> Collection[str]:
        """See `Source`."""
        return self._issuer.algorithms

    @property
    def leeway(self) -> float:
        """See `Source`."""
        return self._issuer.leeway

    async def verify(self, token: Token) -> Key:
        """See `Source`."""
        return await self.keys.verify(token)

    def holds(self, thumbprint: str) -> bool:
        """See `Source`."""
        return self.keys.holds(thumbprint)

    def audiences(self, resources: Collection[str]) -> Collection[str]:
        """The operator's own, when the server cannot bind tokens to resources."""
        return self._issuer.audience or resources

    async def principal(self, claims: Mapping[str, Any], token_id: str) -> Principal:
        """A person, or the client itself when the token is about it."""
        names = self._issuer.claims
        client = _text(claims.get(names.client)) or _text(claims.get("azp"))
        about = subject(claims)
        service = claims.get("gty") == "client-credentials" or (
            client is not None and about in (client, f"{client}@clients")
        )
        if service and not self._issuer.services:
            raise Refused("the token is a client's own, and only people may come in")
        return Principal(
            f"oauth:{self._named(about)}",
            kind="service" if service else "user",
            user=None if service else self._named(subject(claims, names.user)),
            team=_text(claims.get(names.team)) if names.team is not None else None,
            organization=_text(claims.get(names.organization)) if names.organization is not None else None,
            attributes={
                "auth": "oauth",
                "issuer": self._issuer.issuer,
                "client_id": client,
                "scopes": scopes_of(claims, names.scopes),
                "token_id": token_id,
            },
        )

    def _named(self, told: str) -> str:
        """Equal subjects of two issuers are two callers and two users: what one agreed to is not the other's."""
        return told if self._issuer.name is None else f"{self._issuer.name}/{told}"


def scopes_of(claims: Mapping[str, Any], name: str = "scope") -> tuple[str, ...]:
    """The scopes of a token, once each. Anything but words is none."""
    found: list[str] = []
    for claim in dict.fromkeys((name, "scp")):
        value = claims.get(claim)
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
        found += [word for word in words if isinstance(word, str)]
    return tuple(dict.fromkeys(found))[:_MOST_SCOPES]


def _text(value: Any) -> str | None:
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) and first else None

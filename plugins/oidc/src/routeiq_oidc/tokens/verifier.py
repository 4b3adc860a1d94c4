"""From the text of a token to claims that can be believed: the issuer's rules, its keys, a memory of what was verified.

What the claims mean is told in `people`, whose answer is all that is remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from routeiq_oidc.tokens import strict
from routeiq_oidc.tokens.claims import check_claims, check_header
from routeiq_oidc.tokens.discovery import Discovery
from routeiq_oidc.tokens.keyset import KeySet
from routeiq_oidc.tokens.refusal import Refused
from routeiq_oidc.tokens.trust import Trust
from routeiq_sdk import Gateway

_MOST_REMEMBERED = 10_000
_ID_TOKEN = frozenset({"jwt"})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    """What a verified token means, until when (Unix seconds), and whose key signed it."""

    meaning: T
    ends: float
    provider: Provider
    key: str


class Provider:
    """One issuer at run time."""

    def __init__(self, trust: Trust, gateway: Gateway) -> None:
        self.trust = trust
        self.discovery = Discovery(trust, gateway)
        self.keys = KeySet(trust, gateway, self.discovery)


class Verifier(Generic[T]):
    """Verifies tokens of the configured issuers. `means` reads claims that were verified."""

    def __init__(
        self, trusts: Sequence[Trust], gateway: Gateway, means: Callable[[Mapping[str, Any], Trust], T]
    ) -> None:
        self._gateway = gateway
        self._means = means
        self.providers = tuple(Provider(trust, gateway) for trust in trusts)
        self._by_issuer = {each.trust.issuer: each for each in self.providers}
        self._remembered: OrderedDict[bytes, _Known[T]] = OrderedDict()

    def remembers(self, text: str) -> bool:
        """Whether this very token was verified before. It may have ended since."""
        return strict.digest(text) in self._remembered

    async def verify(self, text: str) -> T:
        """What a token means. Raises `Refused`, or `Unavailable` when its issuer's keys are out of reach."""
        if len(text) > strict.LONGEST:
            raise Refused("the token is too long")
        digest = strict.digest(text)
        known = self._remembered.get(digest)
        if known is not None:
            if self._now() < known.ends and known.provider.keys.holds(known.key):
                return known.meaning
            self._remembered.pop(digest, None)  # it ended, or its key is the issuer's no more
        token = strict.read(text)
        provider = self._provider_of(token)
        known = await self._verified(token, provider, provider.trust.audience, provider.trust.token_types)
        self._remembered[digest] = known
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return known.meaning

    async def verify_identity(self, text: str, provider: Provider, client_id: str) -> tuple[T, Mapping[str, Any]]:
        """What an ID token means that was fetched from `provider` for a client, and its claims. Raises as `verify`."""
        token = strict.read(text)
        if token.claims.get("iss") != provider.trust.issuer:
            raise Refused("the token's issuer is not known")
        known = await self._verified(token, provider, frozenset((client_id,)), _ID_TOKEN)
        return known.meaning, token.claims

    async def close(self) -> None:
        """End what is under way."""
        for provider in self.providers:
            await provider.keys.close()

    def _provider_of(self, token: strict.Token) -> Provider:
        issuer = token.claims.get("iss")
        provider = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        if provider is None:
            provider = self._by_issuer.get(None)  # LiteLLM's keys without an issuer
        if provider is None:
            raise Refused("the token's issuer is not known")
        return provider

    async def _verified(
        self, token: strict.Token, provider: Provider, audience: frozenset[str] | None, types: frozenset[str]
    ) -> _Known[T]:
        check_header(token, provider.trust, types=types)
        ends = check_claims(token.claims, provider.trust, audience, self._now())
        key = await provider.keys.verify(token)
        return _Known(self._means(token.claims, provider.trust), ends, provider, key.thumbprint)

    def _now(self) -> float:
        return self._gateway.clock.now_ns() / 1e9

"""The authorization code flow with PKCE (RFC 6749, RFC 7636, OpenID Connect Core 1.0): out to the issuer and back.

The session that follows is `session`'s business, HTTP is `routes`'.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

from routeiq_oidc.config import Login
from routeiq_oidc.fetching import Answered, FetchFailed, fetch_json
from routeiq_oidc.login.sealing import Sealer
from routeiq_oidc.people.identity import Identity
from routeiq_oidc.tokens.refusal import Refused, Unavailable
from routeiq_oidc.tokens.verifier import Provider, Verifier
from routeiq_sdk import Gateway, Secret

log = logging.getLogger(__name__)

ATTEMPT_SECONDS = 600
"""How long somebody may take to sign in."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and what it carries meanwhile."""

    url: str
    carried: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came back, and where it wanted to go."""

    identity: Identity
    return_to: str


class Flow:
    """Signs people in at one issuer."""

    def __init__(
        self, config: Login, provider: Provider, verifier: Verifier[Identity], secret: Secret, gateway: Gateway
    ) -> None:
        self._config = config
        self._provider = provider
        self._verifier = verifier
        self._gateway = gateway
        self._sealer = Sealer(secret, "login")
        self.redirect_uri = config.public_url + "/sso/callback"

    async def depart(self, return_to: str | None) -> Departure:
        """Begin. Raises `Unavailable` when the issuer cannot be asked where its door is."""
        endpoint = await self._provider.discovery.url("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        carried = self._sealer.seal(
            {
                "state": state,
                "nonce": nonce,
                "verifier": verifier,
                "ends": self._now() + ATTEMPT_SECONDS,
                "to": return_to if is_local(return_to) else self._config.after_login,
            }
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self._config.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return Departure(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", carried)

    async def arrive(self, query: Mapping[str, str], carried: str | None) -> Arrival:
        """Finish with what the issuer sent the browser back with. Raises `Refused` or `Unavailable`."""
        attempt = self._sealer.open(carried) if carried is not None else None
        if attempt is None or self._now() >= attempt["ends"]:
            raise Refused("this sign-in took too long or began in another browser: begin again", status=400)
        if not hmac.compare_digest(query.get("state", "").encode(), str(attempt["state"]).encode()):
            raise Refused("this answer belongs to another sign-in: begin again", status=400)
        if query.get("iss", self._provider.trust.issuer) != self._provider.trust.issuer:  # RFC 9207
            raise Refused("this answer comes from another issuer", status=400)
        if "error" in query or "code" not in query:
            log.info("%s refused a sign-in: %.100r", self._provider.trust.label, query.get("error"))
            raise Refused("the identity provider refused the sign-in")
        await self._use_once(str(attempt["state"]))
        id_token = await self._redeem(query["code"], str(attempt["verifier"]))
        identity, claims = await self._verifier.verify_identity(id_token, self._provider, self._config.client_id)
        if not isinstance(claims.get("nonce"), str) or not hmac.compare_digest(
            claims["nonce"].encode(), str(attempt["nonce"]).encode()
        ):
            raise Refused("the token belongs to another sign-in")
        if claims.get("azp", self._config.client_id) != self._config.client_id:
            raise Refused("the token was given to another client")
        return Arrival(identity, str(attempt["to"]))

    async def _use_once(self, state: str) -> None:
        key = "oidc.login:" + hashlib.sha256(state.encode()).hexdigest()
        if await self._gateway.state.increment(key, 1, limit=1, ttl_seconds=ATTEMPT_SECONDS + 60.0) is None:
            raise Refused("this sign-in was finished before: begin again", status=400)

    async def _redeem(self, code: str, verifier: str) -> str:
        """The ID token for a code."""
        endpoint = await self._provider.discovery.url("token_endpoint")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
            "client_id": self._config.client_id,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if self._config.client_secret is not None:
            secret = self._config.client_secret.reveal()
            if await self._by_header():
                pair = f"{quote_plus(self._config.client_id)}:{quote_plus(secret)}"
                headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
            else:
                form["client_secret"] = secret
        try:
            answer: Any = await fetch_json(
                self._gateway, endpoint, method="POST", headers=headers, body=urlencode(form).encode()
            )
        except Answered as error:
            if error.status >= 500:
                raise Unavailable(str(error)) from None
            told = error.body.get("error") if isinstance(error.body, Mapping) else None
            log.warning("%s refused a code: %s, %.100r", self._provider.trust.label, error.status, told)
            raise Refused("the identity provider did not accept the sign-in") from None
        except FetchFailed as error:
            raise Unavailable(str(error)) from None
        token = answer.get("id_token") if isinstance(answer, Mapping) else None
        if not isinstance(token, str):
            raise Refused("the identity provider sent no identity")
        return token

    async def _by_header(self) -> bool:
        """Whether the secret goes into a header, which is what issuers take when they say nothing."""
        methods = (await self._provider.discovery.metadata()).get("token_endpoint_auth_methods_supported")
        return not isinstance(methods, list) or "client_secret_basic" in methods

    def _now(self) -> int:
        return self._gateway.clock.now_ns() // 10**9


def is_local(path: str | None) -> bool:
    """Whether a path leads nowhere but to this gateway."""
    return (
        path is not None
        and len(path) <= 1024
        and path.startswith("/")
        and not path.startswith("//")
        and all("!" <= character <= "~" and character != "\\" for character in path)
    )

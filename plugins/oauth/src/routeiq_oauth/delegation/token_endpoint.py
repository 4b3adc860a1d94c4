"""One request to a token endpoint (RFC 6749): our authentication as a client, and a strict reading of the answer.

Which grant it is, and what becomes of the tokens, is decided elsewhere.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from routeiq_oauth.delegation.challenge import scopes_of
from routeiq_oauth.delegation.outside import Answer, Outside, Reach, host_of
from routeiq_oauth.delegation.trouble import Away, Denied, Unfit
from routeiq_oauth.vault.grant import AuthMethod, Client
from routeiq_sdk import Secret
from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.delegation import OutboundAuth

_TOKEN = re.compile(r"[\x21-\x7e]{1,32768}")
_ASSERTION_SECONDS = 60
_LONGEST_LIFE = 10 * 365 * 86_400
JWT_BEARER_CLIENT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a token endpoint gave. `expires_at` is in Unix seconds, `scopes` of `None` means those asked for."""

    access: Secret
    obtained_at: int
    expires_at: int | None
    refresh: Secret | None
    scopes: tuple[str, ...] | None
    issued_type: str | None


class TokenEndpoint:
    """Asks for tokens."""

    def __init__(self, outside: Outside, clock: Clock) -> None:
        self._outside = outside
        self._clock = clock

    async def ask(
        self,
        url: str,
        client: Client,
        form: Mapping[str, str],
        reach: Reach,
        *,
        issuer: str,
        types: Sequence[str] = ("bearer",),
    ) -> Tokens:
        """POST a grant. Raises `Away`, `Denied` for an OAuth error, `Unfit` for an answer that is none."""
        now = self._clock.now_ns() // 10**9
        extra, headers = authentication(client, issuer, now)
        answer = await self._outside.post_form(url, {**form, **extra}, reach, headers)
        if answer.status != 200:
            raise refusal(answer, url)
        return _tokens(answer.body or {}, now, url, types)

    async def revoke(self, url: str, client: Client, token: Secret, hint: str, reach: Reach, *, issuer: str) -> None:
        """RFC 7009. Raises `Away` and `Denied`."""
        extra, headers = authentication(client, issuer, self._clock.now_ns() // 10**9)
        form = {"token": token.reveal(), "token_type_hint": hint, **extra}
        answer = await self._outside.post_form(url, form, reach, headers)
        if answer.status != 200:
            raise refusal(answer, url)


def refusal(answer: Answer, url: str) -> Away | Denied:
    """What an answer other than 200 means."""
    if answer.status >= 500 or answer.status == 429:
        return Away(f"{host_of(url)} answered {answer.status}")
    return Denied((answer.body or {}).get("error"), host_of(url))


def authentication(client: Client, issuer: str, now: int) -> tuple[dict[str, str], dict[str, str]]:
    """Fields and headers by which a client proves who it is."""
    if client.method == "private_key_jwt":
        assertion = _assertion(client, issuer, now)
        return {
            "client_id": client.id,
            "client_assertion_type": JWT_BEARER_CLIENT,
            "client_assertion": assertion,
        }, {}
    if client.secret is None or client.method == "none":
        return {"client_id": client.id}, {}
    if client.method == "client_secret_post":
        return {"client_id": client.id, "client_secret": client.secret.reveal()}, {}
    pair = f"{quote_plus(client.id)}:{quote_plus(client.secret.reveal())}"
    return {}, {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def configured_client(auth: OutboundAuth, methods: Sequence[str] | None) -> Client | None:
    """The client that the operator wrote, authenticating as the server likes it; `None` without a client id."""
    if auth.client_id is None:
        return None
    if auth.client_key is not None:
        return Client(
            auth.client_id,
            "private_key_jwt",
            key=Secret(auth.client_key.get_secret_value()),
            key_algorithm=auth.client_key_algorithm,
            key_id=auth.client_key_id,
        )
    if auth.client_secret is None:
        return Client(auth.client_id)
    return Client(auth.client_id, method_with_secret(methods), secret=Secret(auth.client_secret.get_secret_value()))


def method_with_secret(methods: Sequence[str] | None) -> AuthMethod:
    """How a client with a secret authenticates, by what the server takes (RFC 8414: Basic when it is silent)."""
    if methods is not None and "client_secret_basic" not in methods and "client_secret_post" in methods:
        return "client_secret_post"
    return "client_secret_basic"


def signing_key(client: Client) -> Any:
    """The client's private key. Raises `Unfit`."""
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    kinds: dict[str, Any] = {"ES256": ECKey, "EdDSA": OKPKey}
    try:
        assert client.key is not None
        return kinds.get(client.key_algorithm, RSAKey).import_key(client.key.reveal())
    except (JoseError, ValueError, TypeError):
        raise Unfit(f"client_key is no private key (PEM) for {client.key_algorithm}") from None


def _assertion(client: Client, issuer: str, now: int) -> str:
    from joserfc import jwt

    header = {"alg": client.key_algorithm, "typ": "JWT"}
    if client.key_id is not None:
        header["kid"] = client.key_id
    claims = {
        "iss": client.id,
        "sub": client.id,
        "aud": issuer,
        "iat": now,
        "exp": now + _ASSERTION_SECONDS,
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(header, claims, signing_key(client), algorithms=[client.key_algorithm])


def _tokens(body: Mapping[str, Any], now: int, url: str, types: Sequence[str]) -> Tokens:
    host = host_of(url)
    access, kind, refresh = body.get("access_token"), body.get("token_type"), body.get("refresh_token")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise Unfit(f"the token endpoint at {host} gave no access token")
    if not isinstance(kind, str) or kind.lower() not in types:
        raise Unfit(f"the token endpoint at {host} gave a token of a type that was not asked for")
    scope, issued = body.get("scope"), body.get("issued_token_type")
    return Tokens(
        access=Secret(access),
        obtained_at=now,
        expires_at=_end(body.get("expires_in"), now),
        refresh=Secret(refresh) if isinstance(refresh, str) and _TOKEN.fullmatch(refresh) else None,
        scopes=scopes_of(scope) if isinstance(scope, str) and scope.strip() else None,
        issued_type=issued if isinstance(issued, str) else None,
    )


def _end(said: object, now: int) -> int | None:
    """Some servers send a text; nonsense counts as silence."""
    try:
        seconds = int(float(said)) if isinstance(said, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return now + seconds if seconds is not None and 0 <= seconds <= _LONGEST_LIFE else None

"""The caller's own token as the subject of an exchange: only one that an issuer signed and this gateway believed.

It goes to authorization servers, never to an upstream.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_sdk import Context, RequestError, Secret

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 (a name)
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 (a name)


@dataclass(frozen=True, slots=True)
class Subject:
    """A caller's token: its type for RFC 8693, its digest for caches, its end in Unix seconds."""

    token: Secret
    type: str
    digest: str
    expires_at: int | None


def subject_of(ctx: Context, upstream: str, clients: Collection[str | None] = ()) -> Subject:
    """The token of the caller of `ctx`; `clients` is who the gateway is at the issuer. Raises `RequestError` for
    a caller who has none that could be exchanged."""
    text = ctx.credential.reveal() if ctx.credential is not None else ""
    header, claims = _parts(text)
    issuer = ctx.principal.attributes.get("issuer")
    # Whoever authenticated the caller says whose token it was. A key of ours, or a token that another plugin merely
    # let pass, is nobody's word for the caller.
    if not claims or not isinstance(issuer, str) or claims.get("iss") != issuer:
        raise RequestError(
            403,
            f"{upstream} is called with a token exchanged for the caller's own. Sign in with an access token of the "
            "identity provider; a gateway key or a browser session cannot be exchanged.",
            type="auth_error",
            code="token_exchange_needs_a_token",
        )
    ends = claims.get("exp")
    return Subject(
        Secret(text),
        _type(header, claims, clients),
        hashlib.sha256(text.encode()).hexdigest(),
        int(ends) if isinstance(ends, int | float) else None,
    )


def is_same(one: Secret, other: Secret) -> bool:
    """Whether two tokens are equal."""
    return hmac.compare_digest(one.reveal().encode(), other.reveal().encode())


def _type(header: Mapping[str, Any], claims: Mapping[str, Any], clients: Collection[str | None]) -> str:
    """Access tokens are for resources, ID tokens for clients, and only some of them say more of what they are."""
    kind = str(header.get("typ", "")).lower().removeprefix("application/")
    if kind == "at+jwt" or any(name in claims for name in ("scope", "scp", "client_id")):
        return ACCESS_TOKEN
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    ours = any(isinstance(each, str) and each in clients for each in audiences)
    return ID_TOKEN if ours or any(name in claims for name in ("nonce", "at_hash", "auth_time")) else ACCESS_TOKEN


def _parts(text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    pieces = text.split(".")
    if len(pieces) != 3 or not text.isascii():
        return {}, {}
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))) for piece in pieces[:2])
    except (binascii.Error, ValueError, RecursionError):
        return {}, {}
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return {}, {}
    return header, claims

"""What the registered claims of a token must say (RFC 7519, section 4.1; RFC 9068 for access tokens).

Whose claims they are, and what they mean to this gateway, is told elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from routeiq_oidc.tokens.refusal import Refused
from routeiq_oidc.tokens.strict import Token
from routeiq_oidc.tokens.trust import Trust

_LONGEST_SUBJECT = 255


def check_header(token: Token, trust: Trust, *, types: frozenset[str]) -> None:
    """Algorithm and type, before any key is looked at. Raises `Refused`."""
    if token.algorithm not in trust.algorithms:
        raise Refused("the token's signature algorithm is not accepted")
    kind = token.header.get("typ")
    if kind is None:
        return
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in types:
        raise Refused("the token is of a type that does not authenticate")


def check_claims(claims: Mapping[str, Any], trust: Trust, audience: frozenset[str] | None, now: float) -> float:
    """Who, for whom and when; returns the Unix time in seconds at which the token ends. `audience` is `None` where
    every one counts. Raises `Refused`."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or len(subject) > _LONGEST_SUBJECT:
        raise Refused("the token names no subject")
    if trust.issuer is not None and claims.get("iss") != trust.issuer:
        raise Refused("the token's issuer is not known")
    if audience is not None and not audience & _audience(claims.get("aud")):
        raise Refused("the token is for another audience")
    ends = _date(claims, "exp")
    if ends is None:
        raise Refused("the token has no end (exp)")
    if now >= ends + trust.leeway:
        raise Refused("the token has expired")
    for name in ("nbf", "iat"):
        begins = _date(claims, name)
        if begins is not None and begins > now + trust.leeway:
            raise Refused(f"the token is not valid yet ({name})")
    return ends + trust.leeway


def _audience(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset((value,))
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return frozenset(value)
    raise Refused("the token names no audience")


def _date(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise Refused(f"the token's {name} is not a date")
    try:
        return float(value)
    except OverflowError:
        raise Refused(f"the token's {name} is not a date") from None

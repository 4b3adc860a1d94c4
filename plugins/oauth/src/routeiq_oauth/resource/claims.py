"""What a token must say before it opens a resource (RFC 7519, section 4.1; RFC 9068; RFC 8707).

Whose claims they are, and what they mean to this gateway, is told elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from routeiq_oauth.resource.refusal import Refused
from routeiq_oauth.resource.strict import Token

_LONGEST_SUBJECT = 255
_TYPES = frozenset({"jwt", "at+jwt"})


def check_header(token: Token, algorithms: Collection[str]) -> None:
    """Algorithm and type, before any key is looked at. Raises `Refused`."""
    if token.algorithm not in algorithms:
        raise Refused("the token's signature algorithm is not accepted")
    kind = token.header.get("typ")
    if kind is not None and (not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES):
        raise Refused("the token is of a type that opens nothing")


def check_dates(claims: Mapping[str, Any], now: float, leeway: float) -> float:
    """When the token counts; returns the Unix time in seconds at which it ends. Raises `Refused`."""
    ends = _date(claims, "exp")
    if ends is None:
        raise Refused("the token has no end (exp)")
    if now >= ends + leeway:
        raise Refused("the token has expired")
    for name in ("nbf", "iat"):
        begins = _date(claims, name)
        if begins is not None and begins > now + leeway:
            raise Refused(f"the token is not valid yet ({name})")
    return ends + leeway


def check_audience(claims: Mapping[str, Any], accepted: Collection[str]) -> None:
    """Whom the token is for. Raises `Refused`."""
    value = claims.get("aud")
    told = [value] if isinstance(value, str) else value
    if not isinstance(told, list) or not told or not all(isinstance(each, str) for each in told):
        raise Refused("the token names no audience")
    if not any(each in accepted for each in told):
        raise Refused("the token is for another audience")


def subject(claims: Mapping[str, Any], claim: str = "sub") -> str:
    """Who it is about. Raises `Refused`."""
    value = claims.get(claim)
    if not isinstance(value, str) or not value or len(value) > _LONGEST_SUBJECT or not value.isprintable():
        raise Refused("the token names no subject")
    return value


def _date(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise Refused(f"the token's {name} is not a date")
    try:
        told = float(value)
    except OverflowError:
        told = math.inf
    if not math.isfinite(told):
        raise Refused(f"the token's {name} is not a date")
    return told

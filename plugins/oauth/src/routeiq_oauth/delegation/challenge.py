"""Reading `WWW-Authenticate` (RFC 9110, 6750, 9728): the parameters of its Bearer challenge.

What follows from them is decided elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from routeiq_sdk.values.delegation import Challenge

_PART = re.compile(
    r'\s*(?:,\s*)*(?:(?P<name>[!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))'
    r"|(?P<scheme>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s+(?P<token68>[A-Za-z0-9._~+/-]+=*)(?=\s*(?:,|$)))?(?=[\s,]|$))"
)
_LONGEST = 8192
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


@dataclass(frozen=True, slots=True)
class Demand:
    """What an upstream's refusal asks for."""

    error: str | None = None
    scopes: tuple[str, ...] | None = None
    resource_metadata: str | None = None


def demand_of(challenge: Challenge | None) -> Demand:
    """The Bearer challenge's parameters; empty for what cannot be read."""
    params = bearer_params(challenge.authenticate) if challenge is not None else {}
    scope = params.get("scope")
    return Demand(
        error=params.get("error"),
        scopes=(scopes_of(scope) or None) if scope is not None else None,
        resource_metadata=params.get("resource_metadata"),
    )


def bearer_params(header: str) -> dict[str, str]:
    """Parameters of the first Bearer challenge, names in lower case; of two with one name the first counts."""
    params: dict[str, str] = {}
    inside, position = False, 0
    header = header[:_LONGEST]
    while position < len(header):
        part = _PART.match(header, position)
        if part is None or part.end() == position:
            break
        position = part.end()
        if part["scheme"] is not None:
            if inside:
                break
            inside = part["scheme"].lower() == "bearer"
        elif inside:
            quoted = part["quoted"]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else part["plain"]
            params.setdefault(part["name"].lower(), value)
    return params


def scopes_of(text: str) -> tuple[str, ...]:
    """The scopes in a text, each once, in order; what is no scope (RFC 6749, 3.3) is left out."""
    return tuple(dict.fromkeys(word for word in text.split(" ") if _SCOPE.fullmatch(word)))


def union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Both, each scope once."""
    return tuple(dict.fromkeys((*first, *second)))

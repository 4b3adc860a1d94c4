"""Who a token's claims are about: immutable, comparable, and small enough for a cookie.

What the directory knows of them is `resolver`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_oidc.tokens.refusal import Refused
from routeiq_oidc.tokens.trust import Trust

_MOST_VALUES = 200
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or a service as its issuer describes it. `issuer` is the issuer's name here; `verified` says whether the
    e-mail address counts; `teams` are candidates, best first; `roles` are roles of this gateway."""

    issuer: str | None
    subject: str
    user: str
    service: bool = False
    email: str | None = None
    verified: bool = False
    name: str | None = None
    teams: tuple[str, ...] = ()
    organization: str | None = None
    roles: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The caller's id in records: `oidc:SUB`, of a named issuer `oidc:NAME/SUB`. No two issuers share one."""
        if self.issuer is not None:
            return f"oidc:{self.issuer}/{self.subject}"
        return "oidc:" + self.subject.replace("%", "%25").replace("/", "%2F")

    @property
    def directory_id(self) -> str:
        """The id under which the directory keeps such a user if it was created at sign-in."""
        return self.user if self.issuer is None else f"{self.issuer}/{self.user}"


def identity_of(claims: Mapping[str, Any], trust: Trust) -> Identity:
    """What the claims say in the words of `trust`. Raises `Refused` when its rules exclude them."""
    service = _is_service(claims)
    user = _text(claims, trust.user_claim)
    if user is None:
        raise Refused(f"the token has no claim {trust.user_claim}")
    email = _text(claims, trust.email_claim)
    verified = email is not None and (trust.trust_email or claims.get("email_verified") in (True, "true"))
    said = frozenset(value for claim in trust.role_claims for value in _values(claims, claim))
    if trust.require_any and not trust.require_any & said:
        raise Refused("none of the roles that this gateway asks for", status=403)
    if trust.email_domains and not service:
        domain = email.rpartition("@")[2].lower() if email is not None and verified else ""
        if domain not in trust.email_domains:
            raise Refused("e-mail addresses of this domain are not accepted", status=403)
    return Identity(
        issuer=trust.name,
        subject=str(claims["sub"]),
        user=user,
        service=service,
        email=email,
        verified=verified,
        name=_text(claims, trust.name_claim),
        teams=tuple(
            dict.fromkeys(value for claim in trust.team_claims for value in _values(claims, claim, whole=True))
        ),
        organization=trust.organization or _text(claims, trust.organization_claim),
        roles=frozenset(trust.role_map[value] for value in said if value in trust.role_map),
    )


def _is_service(claims: Mapping[str, Any]) -> bool:
    """Whether the token was given to a program for itself: by the marks that issuers leave (RFC 9068 asks for a `sub`
    that is the client's id)."""
    clients = [claims[name] for name in ("client_id", "azp", "appid") if isinstance(claims.get(name), str)]
    subject = claims["sub"]
    return (
        subject in clients
        or claims.get("idtyp") == "app"
        or claims.get("gty") == "client-credentials"
        or any(subject == f"{client}@clients" for client in clients)
    )


def _at(claims: Mapping[str, Any], path: str | None) -> Any:
    if path is None:
        return None
    if path in claims:
        return claims[path]
    value: Any = claims
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(claims: Mapping[str, Any], path: str | None) -> str | None:
    value = _at(claims, path)
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST else None


def _values(claims: Mapping[str, Any], path: str, *, whole: bool = False) -> list[str]:
    """A list of texts, or the words of a text (`whole`: the text itself)."""
    value = _at(claims, path)
    if isinstance(value, str):
        found = [value] if whole else value.split()
    else:
        found = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
    return [each for each in found[:_MOST_VALUES] if 0 < len(each) <= _LONGEST]

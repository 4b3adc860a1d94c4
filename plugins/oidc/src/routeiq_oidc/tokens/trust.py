"""Whose tokens count and by which rules: one immutable value an issuer, whichever configuration it was written in.

Checking a token against it is in `verifier` and `claims`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from routeiq_oidc.config import Issuer


@dataclass(frozen=True, slots=True)
class Trust:
    """One issuer. `issuer` is `None` where LiteLLM names keys alone: then any `iss` counts that they sign; `audience`
    is `None` where every `aud` counts. Without `jwks_urls` discovery below `issuer` names the keys."""

    issuer: str | None
    audience: frozenset[str] | None
    name: str | None = None
    jwks_urls: tuple[str, ...] = ()
    allow_http: bool = False
    algorithms: frozenset[str] = frozenset({"RS256", "ES256", "EdDSA"})
    token_types: frozenset[str] = frozenset({"jwt", "at+jwt"})
    user_claim: str = "sub"
    email_claim: str | None = "email"
    name_claim: str | None = "name"
    team_claims: tuple[str, ...] = ()
    organization_claim: str | None = None
    role_claims: tuple[str, ...] = ("roles", "scope", "scp")
    role_map: Mapping[str, str] = field(default_factory=dict)
    require_any: frozenset[str] = frozenset()
    email_domains: frozenset[str] = frozenset()
    match: tuple[str, ...] = ("id", "external_id")
    trust_email: bool = False
    upsert: bool = False
    require_user: bool = False
    organization: str | None = None
    default_team: str | None = None
    leeway: float = 30.0
    refresh_seconds: float = 300.0

    @property
    def label(self) -> str:
        """What the log calls it."""
        return self.name or self.issuer or "JWT_PUBLIC_KEY_URL"


def trust_of(row: Issuer) -> Trust:
    """An issuer of the plugin's own block."""
    claims = row.claims
    scopes = ("scope", "scp") if claims.scopes == "scope" else (claims.scopes,)
    return Trust(
        issuer=row.issuer,
        audience=frozenset(row.audience),
        name=row.name,
        jwks_urls=(row.jwks_url,) if row.jwks_url is not None else (),
        allow_http=row.allow_http,
        algorithms=frozenset(row.algorithms),
        token_types=frozenset(kind.lower() for kind in row.token_types),
        user_claim=claims.user,
        email_claim=claims.email,
        name_claim=claims.name,
        team_claims=(claims.team,) if claims.team is not None else (),
        organization_claim=claims.organization,
        role_claims=tuple(claim for claim in (claims.roles, *scopes) if claim is not None),
        role_map=row.role_map,
        require_any=frozenset(row.require_any),
        email_domains=frozenset(domain.lower() for domain in row.email_domains),
        match=row.matching,
        trust_email=row.trust_email,
        upsert=row.upsert,
        require_user=row.require_user,
        organization=row.organization,
        default_team=row.default_team,
        leeway=row.leeway,
        refresh_seconds=row.refresh_seconds,
    )

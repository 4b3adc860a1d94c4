"""LiteLLM's configuration of JSON web tokens, with its environment variables, in our terms.

Which keys there are is in `litellm`.
"""

from __future__ import annotations

from collections.abc import Mapping

from routeiq_oidc.config import check_url
from routeiq_oidc.litellm import ClaimFields, IssuerRow, LitellmJwtAuth
from routeiq_oidc.tokens.trust import Trust

_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
URL, AUDIENCE, ISSUER = "JWT_PUBLIC_KEY_URL", "JWT_AUDIENCE", "JWT_ISSUER"


def trusts_of(config: LitellmJwtAuth | None, environment: Mapping[str, str]) -> tuple[Trust, ...]:
    """The issuers that LiteLLM would accept: rows of `issuers`, or whoever the keys at JWT_PUBLIC_KEY_URL belong to.

    Raises `ValueError` when there is none, or when a URL cannot be trusted with keys.
    """
    auth = config or LitellmJwtAuth.model_validate({})
    if auth.issuers:
        named = len(auth.issuers) > 1
        if len({row.issuer for row in auth.issuers}) < len(auth.issuers):
            raise ValueError("two rows of litellm_jwtauth.issuers have the same issuer")
        return tuple(_of_row(auth, row, f"issuer-{n}" if named else None) for n, row in enumerate(auth.issuers, 1))
    urls = tuple(url.strip() for url in environment.get(URL, "").split(",") if url.strip())
    if not urls:
        raise ValueError(f"enable_jwt_auth is on, but {URL} is not set and litellm_jwtauth.issuers is empty")
    for url in urls:
        check_url(url, allow_http=False)
    audience = environment.get(AUDIENCE)
    issuer = environment.get(ISSUER) or None
    return (_trust(auth, auth, issuer, frozenset((audience,)) if audience else None, urls, None),)


def _of_row(auth: LitellmJwtAuth, row: IssuerRow, name: str | None) -> Trust:
    for url in (row.issuer, row.jwks_url):
        if url is not None:
            check_url(url, allow_http=False)
    audience = None if row.disable_audience_validation else frozenset(row.audience)
    return _trust(auth, row, row.issuer, audience, (row.jwks_url,) if row.jwks_url is not None else (), name)


def _trust(
    auth: LitellmJwtAuth,
    fields: ClaimFields,
    issuer: str | None,
    audience: frozenset[str] | None,
    urls: tuple[str, ...],
    name: str | None,
) -> Trust:
    roles = fields.user_roles_jwt_field or fields.roles_jwt_field or auth.user_roles_jwt_field or auth.roles_jwt_field
    teams = (fields.team_id_jwt_field, fields.team_ids_jwt_field)
    if not any(teams):
        teams = (auth.team_id_jwt_field, auth.team_ids_jwt_field)
    required = frozenset(auth.user_allowed_roles)
    domain = auth.user_allowed_email_domain
    return Trust(
        issuer=issuer,
        audience=audience,
        name=name,
        jwks_urls=urls,
        algorithms=_ALGORITHMS,
        user_claim=fields.user_id_jwt_field or auth.user_id_jwt_field or "sub",
        email_claim=fields.user_email_jwt_field or auth.user_email_jwt_field,
        team_claims=tuple(team for team in teams if team),
        organization_claim=fields.org_id_jwt_field or auth.org_id_jwt_field,
        role_claims=tuple(claim for claim in (roles, "scope", "scp") if claim),
        role_map={
            **{row.jwt_role: row.litellm_role for row in auth.jwt_litellm_role_map},
            auth.admin_jwt_scope: "proxy_admin",
        },
        require_any=required | {auth.admin_jwt_scope} if required else frozenset(),
        email_domains=frozenset((domain.lower(),)) if domain else frozenset(),
        match=("id",) if name is not None else ("id", "external_id"),
        trust_email=True,
        upsert=auth.user_id_upsert,
        default_team=auth.team_id_default,
        refresh_seconds=auth.public_key_ttl,
    )

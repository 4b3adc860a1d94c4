"""What the YAML may say under `routeiq.plugins.oidc`, and the checks that can be made at start.

LiteLLM's own keys for the same thing are in `litellm`.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from routeiq_oidc.litellm import LitellmJwtAuth
from routeiq_sdk import FromLitellm, PluginConfig, Secret

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
IssuerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SHORTEST_SECRET = 16


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def check_url(url: str, *, allow_http: bool) -> str:
    """`url` when it may be trusted with keys and codes. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("not an http(s) URL without credentials and fragment")
    if parts.scheme == "http" and not (allow_http or is_loopback(url)):
        raise ValueError("plain http lets anybody on the way replace the keys; use https, or write allow_http: true")
    return url


class Claims(PluginConfig):
    """In which claims of a token things stand. A name with dots is a path (`realm_access.roles`), unless a claim has
    exactly that name."""

    user: Name = Field("sub", description="The user: its id or external id in the directory.")
    email: Name | None = Field("email", description="The e-mail address.")
    name: Name | None = Field("name", description="The name that people see.")
    team: Name | None = Field(
        None, description="The team, or a list of groups; the first that the directory knows counts."
    )
    organization: Name | None = Field(None, description="The organization.")
    roles: Name | None = Field("roles", description="Roles, a list or words in a text; `role_map` translates them.")
    scopes: Name | None = Field(
        "scope", description="Scopes, words in a text or a list; `role_map` translates them, too."
    )


class Issuer(PluginConfig):
    """One identity provider whose tokens count."""

    issuer: Name = Field(description="The `iss` of its tokens, exactly; discovery is asked below this URL.")
    name: IssuerName | None = Field(
        None,
        description="A short name, needed when there are several issuers: ids of callers then are `oidc:NAME/SUB`.",
    )
    audience: tuple[Name, ...] = Field(
        min_length=1, description="The `aud` (one of these) that tokens for this gateway have."
    )
    jwks_url: Name | None = Field(None, description="Where its keys are; without it discovery says so.")
    allow_http: bool = Field(False, description="Whether the issuer may be called over plain http beyond loopback.")
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "ES256", "EdDSA"), min_length=1, description="The only signature algorithms that count."
    )
    token_types: tuple[Name, ...] = Field(
        ("JWT", "at+jwt"), min_length=1, description="The only values of the header `typ` that count, where it is sent."
    )
    claims: Claims = Field(Claims(), description="In which claims things stand.")
    role_map: dict[Name, Name] = Field(
        {},
        description="From a value of the roles or scopes claim to a role of this gateway; other values mean nothing.",
    )
    require_any: tuple[Name, ...] = Field(
        (), description="Refuse tokens without one of these values among their roles and scopes."
    )
    email_domains: tuple[Name, ...] = Field((), description="Refuse people whose verified e-mail is of no such domain.")
    match: tuple[Literal["id", "external_id", "email"], ...] | None = Field(
        None,
        description="How a user is found in the directory, in this order; `email` counts only when verified. "
        "Without it: id and external_id, of a named issuer id alone.",
    )
    trust_email: bool = Field(False, description="Whether e-mail addresses count as verified without `email_verified`.")
    upsert: bool = Field(False, description="Whether a user that the directory does not know is created at sign-in.")
    require_user: bool = Field(False, description="Whether people that the directory does not know are refused.")
    organization: Name | None = Field(
        None,
        description="The only organization whose users and teams its tokens can mean; no claim changes it.",
    )
    default_team: Name | None = Field(None, description="The team of those whose claims name none that exists.")
    leeway: float = Field(30.0, ge=0, le=300, description="Seconds by which clocks may differ.")
    refresh_seconds: float = Field(300.0, ge=10, le=86_400, description="Age at which its keys are fetched again.")

    @field_validator("audience", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _urls(self) -> Issuer:
        check_url(self.issuer, allow_http=self.allow_http)
        if self.jwks_url is not None:
            check_url(self.jwks_url, allow_http=self.allow_http)
        return self

    @property
    def matching(self) -> tuple[str, ...]:
        """How users are found in the directory."""
        if self.match is not None:
            return self.match
        return ("id", "external_id") if self.name is None else ("id",)


class Login(PluginConfig):
    """Signing in with a browser."""

    issuer: IssuerName | None = Field(
        None, description="The name of the issuer to sign in at; needed when there are several."
    )
    client_id: Name = Field(description="This gateway's client id there.")
    client_secret: Secret | None = Field(None, description="Its secret; without one the client is public (PKCE alone).")
    public_url: Name = Field(description="The gateway's own address as browsers see it; `/sso/callback` is below it.")
    scopes: tuple[Name, ...] = Field(("openid", "email", "profile"), description="The scopes to ask for.")
    session_minutes: int = Field(480, ge=1, le=10_080, description="How long a session lasts.")
    session_secret: Secret | None = Field(
        None,
        description="What seals the session cookie, the same for all replicas; else one is made in the data folder.",
    )
    after_login: str = Field("/routeiq/v1/session", description="The path to go to when the login named none.")

    @field_validator("public_url")
    @classmethod
    def _public(cls, url: str) -> str:
        check_url(url, allow_http=False)
        if urlsplit(url).query:
            raise ValueError("an address without a query")
        return url.rstrip("/")

    @field_validator("after_login")
    @classmethod
    def _local(cls, path: str) -> str:
        if not path.startswith("/") or path.startswith(("//", "/\\")):
            raise ValueError("a path of this gateway, such as /routeiq/v1/session")
        return path

    @field_validator("session_secret")
    @classmethod
    def _strong(cls, secret: Secret | None) -> Secret | None:
        return _strong_enough(secret)

    @model_validator(mode="after")
    def _asks_for_an_identity(self) -> Login:
        if "openid" not in self.scopes:
            raise ValueError("scopes without `openid`: the issuer would send no identity")
        return self


class Scim(PluginConfig):
    """SCIM 2.0 at `/scim/v2`."""

    token: Secret | None = Field(
        None,
        description="The bearer token of the provisioning client; without one, only the master key and `roles` may.",
    )
    previous_token: Secret | None = Field(None, description="The token before it, valid while you rotate.")
    organization: Name | None = Field(
        None, description="The organization of the users and groups that are provisioned."
    )
    roles: tuple[Name, ...] = Field(
        ("owner", "proxy_admin"),
        description="Roles from `role_map` whose holders may provision, too, if they belong to no organization.",
    )
    most: int = Field(100, ge=1, le=500, description="Resources in one page of a list.")

    @field_validator("token", "previous_token")
    @classmethod
    def _strong(cls, secret: Secret | None) -> Secret | None:
        return _strong_enough(secret)


class OidcConfig(PluginConfig):
    """Sign-in by OpenID Connect, and SCIM."""

    issuers: tuple[Issuer, ...] = Field((), description="The identity providers whose tokens count.")
    login: Login | None = Field(None, description="Signing in with a browser at `/sso/login`.")
    scim: Scim | None = Field(None, description="Provisioning of users and groups at `/scim/v2`.")
    enable_jwt_auth: Annotated[bool, FromLitellm("general_settings.enable_jwt_auth")] = Field(
        False,
        description="Whether tokens count that the keys at JWT_PUBLIC_KEY_URL sign, or `litellm_jwtauth.issuers`.",
    )
    litellm_jwtauth: Annotated[LitellmJwtAuth | None, FromLitellm("general_settings.litellm_jwtauth")] = Field(
        None, description="LiteLLM's names of claims and rules for those tokens."
    )

    @model_validator(mode="after")
    def _issuers_apart(self) -> OidcConfig:
        names = [issuer.name for issuer in self.issuers]
        if not (names or self.enable_jwt_auth or self.scim):
            raise ValueError("neither issuers nor scim: there is nothing to do")
        if len(names) > 1 and (None in names or len(set(names)) < len(names)):
            raise ValueError("several issuers: give each a `name` of its own, so that equal subjects stay apart")
        if len({issuer.issuer for issuer in self.issuers}) < len(names):
            raise ValueError("two rows of `issuers` have the same issuer")
        if self.enable_jwt_auth and self.issuers:
            raise ValueError("both `issuers` and general_settings.enable_jwt_auth: say it in one place")
        if self.login is not None:
            if not self.issuers:
                raise ValueError("`login` without `issuers`: there is nobody to sign in at")
            if self.login.issuer is None and len(names) > 1:
                raise ValueError("`login.issuer` is missing: name one of the issuers")
            if self.login.issuer is not None and self.login.issuer not in names:
                raise ValueError("`login.issuer` names no issuer")
        return self


def _strong_enough(secret: Secret | None) -> Secret | None:
    if secret is not None and len(secret.reveal()) < _SHORTEST_SECRET:
        raise ValueError(f"too short: at least {_SHORTEST_SECRET} characters")
    return secret

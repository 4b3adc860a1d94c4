"""What the YAML may say under `routeiq.plugins.oauth`, and the checks that can be made at start.

What it means is the other modules' business.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from routeiq_oauth.delegation.config import DelegationConfig
from routeiq_oauth.server.config import AuthorizationServer
from routeiq_oauth.urls import check_url
from routeiq_sdk import PluginConfig, Secret

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
IssuerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]


class Claims(PluginConfig):
    """In which claims of an access token things stand."""

    user: Name = Field("sub", description="The user.")
    team: Name | None = Field(None, description="The team; of a list the first.")
    organization: Name | None = Field(None, description="The organization; of a list the first.")
    scopes: Name = Field("scope", description="The scopes: words in a text, or a list. `scp` counts, too.")
    client: Name = Field("client_id", description="The client that asks. `azp` counts when this is missing.")


class Issuer(PluginConfig):
    """An authorization server whose access tokens open this gateway's protected resources."""

    issuer: Name = Field(description="The `iss` of its tokens, exactly; its metadata is asked for below this URL.")
    name: IssuerName | None = Field(
        None,
        description="A short name, needed when there are several issuers: callers are `oauth:NAME/SUB` then, and "
        "users `NAME/SUB`.",
    )
    audience: tuple[Name, ...] = Field(
        (),
        description="Values of `aud` that count instead of the resource's own URL, for a server that cannot bind "
        "tokens to resources (RFC 8707). Such a token then opens every resource.",
    )
    jwks_url: Name | None = Field(None, description="Where its keys are; without it, its metadata says so.")
    allow_http: bool = Field(False, description="Whether it may be called over plain http beyond loopback.")
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "PS256", "ES256", "EdDSA"), min_length=1, description="The only signature algorithms that count."
    )
    claims: Claims = Field(Claims(), description="In which claims things stand.")
    services: bool = Field(
        True,
        description="Whether tokens count that a client got for itself (`sub` is the client): callers of kind "
        "`service`.",
    )
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
    def label(self) -> str:
        """What the log calls it."""
        return self.name or self.issuer


class SignIn(PluginConfig):
    """How people sign in to the pages of this plugin. Whoever has a session of another plugin needs nothing here."""

    login_url: str | None = Field(
        None,
        description="A path of this gateway that signs people in, such as `/sso/login`; it gets `return_to`. "
        "Without it a page asks for the user's gateway API key.",
    )
    minutes: int = Field(30, ge=1, le=1440, description="How long a sign-in by key lasts.")
    attempts: int = Field(10, ge=1, le=1000, description="Wrong keys that one address may try in five minutes.")

    @field_validator("login_url")
    @classmethod
    def _local(cls, path: str | None) -> str | None:
        if path is not None and (not path.startswith("/") or path.startswith(("//", "/\\"))):
            raise ValueError("a path of this gateway, such as /sso/login")
        return path


class OAuthConfig(PluginConfig):
    """Settings of the oauth plugin."""

    public_url: Name | None = Field(
        None,
        description="The gateway's own address as clients see it. Needed unless it listens on loopback alone, where "
        "the `Host` of a request says it.",
    )
    issuers: tuple[Issuer, ...] = Field((), description="The authorization servers whose tokens count.")
    authorization_server: AuthorizationServer = Field(
        AuthorizationServer(), description="The small authorization server inside the gateway."
    )
    sign_in: SignIn = Field(SignIn(), description="How people sign in to this plugin's pages.")
    delegation: DelegationConfig = Field(DelegationConfig(), description="Tokens for upstream servers.")
    database_url: Secret | None = Field(
        None,
        description="The database of people's tokens for upstream servers; else a SQLite file in the data folder.",
    )
    vault_keys: tuple[Secret, ...] = Field(
        (),
        description="What seals tokens, cookies and forms, the newest first, the same for all replicas; else one is "
        "made in the data folder.",
    )

    @field_validator("public_url")
    @classmethod
    def _public(cls, url: str | None) -> str | None:
        if url is None:
            return None
        check_url(url, allow_http=False)
        if urlsplit(url).query:
            raise ValueError("an address without a query")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _issuers_apart(self) -> OAuthConfig:
        names = [issuer.name for issuer in self.issuers]
        if len(names) > 1 and (None in names or len(set(names)) < len(names)):
            raise ValueError("several issuers: give each a `name` of its own, so that equal subjects stay apart")
        if len({issuer.issuer for issuer in self.issuers}) < len(names):
            raise ValueError("two rows of `issuers` have the same issuer")
        return self

    @property
    def has_issuers(self) -> bool:
        """Whether anybody's tokens open protected resources."""
        return bool(self.issuers) or self.authorization_server.enabled

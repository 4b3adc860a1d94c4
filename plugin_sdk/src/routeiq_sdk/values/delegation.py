"""On whose behalf a server elsewhere is called: modes of delegation, what a caller has to agree to.

The grants themselves, tokens and their vault belong to the plugin that offers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from routeiq_sdk.errors import RouteIQError
from routeiq_sdk.secret import Secret

if TYPE_CHECKING:
    from routeiq_sdk.context import Context

Mode = Literal["none", "static", "client_credentials", "authorization_code", "token_exchange", "id_jag", "passthrough"]


def _plain(value: Any) -> Any:
    return value.reveal() if isinstance(value, Secret) else value


# The configuration hands secrets over as `Secret`, an admin's JSON as text.
_Hidden = Annotated[SecretStr, BeforeValidator(_plain)]


class OutboundAuth(BaseModel):
    """How an upstream server or agent is told who calls. The inbound token is never passed on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Field("none", description="How the gateway authenticates upstream.")
    headers: dict[str, _Hidden] = Field(
        default_factory=dict, description="`static`: headers sent with every call, such as Authorization."
    )
    header: str | None = Field(
        None, description="`passthrough`: the client's header that is passed on; never Authorization."
    )
    issuer: str | None = Field(
        None, description="The authorization server. Found by discovery from the upstream when left out."
    )
    token_url: str | None = Field(None, description="Its token endpoint, instead of discovery.")
    authorization_url: str | None = Field(None, description="Its authorization endpoint, instead of discovery.")
    client_id: str | None = Field(
        None, description="The client id. Left out: client metadata document, else dynamic registration."
    )
    client_secret: _Hidden | None = Field(None, description="The client's secret.")
    client_key: _Hidden | None = Field(
        None, description="A private key (PEM) for `private_key_jwt` instead of a secret."
    )
    client_key_algorithm: Literal["RS256", "PS256", "ES256", "EdDSA"] = Field(
        "ES256", description="The algorithm of `client_key`."
    )
    client_key_id: str | None = Field(None, description="The `kid` of `client_key`.")
    scopes: tuple[str, ...] = Field((), description="Scopes to ask for. Left out: what the upstream says it needs.")
    audience: str | None = Field(None, description="`audience` of an exchange, when it is not the upstream's URL.")
    identity_provider: str | None = Field(
        None, description="`id_jag`: the issuer whose token endpoint gives the assertion."
    )

    @model_validator(mode="after")
    def _fits_its_mode(self) -> OutboundAuth:
        if self.mode == "static" and not self.headers:
            raise ValueError("mode static sends headers, and there are none; add headers")
        if self.mode != "static" and self.headers:
            raise ValueError(f"mode {self.mode} sends no headers; remove them or say mode: static")
        if (self.mode == "passthrough") != (self.header is not None):
            raise ValueError("header belongs to mode passthrough, which needs it")
        if self.header is not None and self.header.lower() in ("authorization", "cookie", "x-api-key", "api-key"):
            raise ValueError(f"{self.header} carries the gateway's own credentials and is never passed on")
        if self.mode == "client_credentials" and (
            self.client_id is None or (self.client_secret is None) == (self.client_key is None)
        ):
            raise ValueError("mode client_credentials needs client_id and either client_secret or client_key")
        if self.mode == "id_jag" and self.identity_provider is None:
            raise ValueError("mode id_jag needs identity_provider")
        return self

    @property
    def per_user(self) -> bool:
        """Whether each user has a token of their own."""
        return self.mode in ("authorization_code", "token_exchange", "id_jag")


@dataclass(frozen=True, slots=True)
class Delegate:
    """An upstream as delegation sees it. `id` is stable over restarts (`mcp:github`), `url` its resource."""

    id: str
    url: str
    auth: OutboundAuth
    title: str = ""
    untrusted: bool = False
    """Its URL was not written by the operator."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """An upstream's refusal of the token that the last call carried: its status and `WWW-Authenticate`."""

    status: int
    authenticate: str = ""


class ConsentNeeded(RouteIQError):
    """The user has to agree first, at `url` of this gateway. `id` names the question until it is answered."""

    def __init__(self, delegate: str, url: str, id: str, message: str) -> None:
        self.delegate = delegate
        self.url = url
        self.id = id
        super().__init__(message)


class Delegation(Protocol):
    """Gives the headers with which an upstream is called; kept by one plugin (`offer_delegation`)."""

    async def check(self, delegate: Delegate) -> None:
        """Whether the mode can work as it is configured; asked at `setup`. Raises `ConfigError`."""

    async def headers(self, ctx: Context, delegate: Delegate, *, refused: Challenge | None = None) -> Mapping[str, str]:
        """Headers for one call on behalf of the caller of `ctx`; `refused` is what became of the last ones.

        After a 401 a token is refreshed once, after a 403 with `insufficient_scope` more scopes are asked for. Raises
        `ConsentNeeded`, or `RequestError` when the authorization server cannot be reached or refuses.
        """

    async def answered(self, ctx: Context, id: str) -> bool:
        """Whether the caller of `ctx` has answered the question `id` of `ConsentNeeded`."""

    async def forget(self, delegate_id: str) -> None:
        """The upstream is gone: drop and revoke what was kept for it."""


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """Something behind the gateway that OAuth clients ask tokens for: a virtual server, an agent.

    `path` is below the gateway's address, such as `/github/mcp`.
    """

    path: str
    name: str
    scopes: tuple[str, ...] = ()
    documentation: str | None = None

"""What the YAML may say under `routeiq.plugins.oauth.authorization_server`.

What it means is the other modules' business.
"""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from routeiq_sdk import PluginConfig, Secret


class StaticClient(PluginConfig):
    """A client that the operator knows."""

    name: str = Field(min_length=1, max_length=200, description="What people read when they are asked.")
    redirect_uris: tuple[str, ...] = Field(min_length=1, description="Where codes may be sent, exactly.")
    secret: Secret | None = Field(None, description="Its secret; without one the client is public.")

    @field_validator("redirect_uris")
    @classmethod
    def _sound(cls, uris: tuple[str, ...]) -> tuple[str, ...]:
        from routeiq_oauth.server.redirects import check_redirect_uri

        return tuple(check_redirect_uri(uri) for uri in uris)


class AuthorizationServer(PluginConfig):
    """The authorization server inside the gateway, for clients that cannot reach the company's."""

    enabled: bool = Field(False, description="Whether the gateway issues tokens itself.")
    clients: dict[str, StaticClient] = Field({}, description="Clients that the operator knows, by client id.")
    metadata_documents: bool = Field(
        True, description="Whether a client may be known by the URL of its metadata document (CIMD)."
    )
    dynamic_registration: bool = Field(False, description="Whether clients may register themselves (RFC 7591).")
    scopes: tuple[str, ...] = Field((), description="Scopes that may be granted beside those of the resources.")
    access_token_minutes: int = Field(10, ge=1, le=60, description="How long an access token lasts.")
    refresh_token_days: int = Field(
        30, ge=0, le=365, description="How long a client may refresh without asking the person again; 0 for not at all."
    )
    consent_days: int = Field(180, ge=0, le=3650, description="How long a consent is remembered; 0 for not at all.")
    registered_client_days: int = Field(90, ge=1, le=3650, description="How long a registered client is kept unused.")
    registrations_per_hour: int = Field(20, ge=1, le=10_000, description="Registrations that one address may make.")
    signing_key: Secret | None = Field(
        None,
        description="The private key that signs tokens: PEM, an EC key on P-256. Without it one is made in the data "
        "folder, which all workers must share.",
    )
    previous_keys: tuple[Secret, ...] = Field(
        (), description="Earlier signing keys, or their public parts (PEM), whose tokens still count."
    )

    @model_validator(mode="after")
    def _clients_apart(self) -> AuthorizationServer:
        for name in self.clients:
            if name.startswith(("https:", "http:", "dcr-")) or not name.isascii() or not name.isprintable():
                raise ValueError(f"client id {name!r}: plain letters that begin with neither a URL's scheme nor dcr-")
        return self

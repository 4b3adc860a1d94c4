"""What the YAML may say under `routeiq.plugins.oauth.delegation`.

Modes and clients are said where the upstream is configured.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from routeiq_oauth.urls import check_url
from routeiq_sdk import PluginConfig


class DelegationConfig(PluginConfig):
    """Tokens for upstream servers in the caller's name."""

    client_name: str = Field(
        "RouteIQ gateway", min_length=1, max_length=200, description="How authorization servers may call this gateway."
    )
    client_metadata_url: str | None = Field(
        None,
        description="Where this gateway's client metadata document is published, if not below `public_url` at "
        "`/connections/client.json`.",
    )
    consent_minutes: int = Field(15, ge=1, le=1440, description="How long a link to a consent page works.")
    refresh_ahead_minutes: int = Field(
        0, ge=0, le=1440, description="Refresh tokens in the background this long before they end; 0 for at need only."
    )
    timeout_seconds: float = Field(10.0, gt=0, le=60, description="The longest wait for an authorization server.")

    @field_validator("client_metadata_url")
    @classmethod
    def _sound(cls, url: str | None) -> str | None:
        if url is not None and not check_url(url).startswith("https:"):
            raise ValueError("a client metadata document has an https address")
        return url

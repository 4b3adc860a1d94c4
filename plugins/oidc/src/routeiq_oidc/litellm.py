"""LiteLLM's own keys of `general_settings.litellm_jwtauth`: which of them count here, and in LiteLLM's words.

What they mean in ours is in `translation`.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from routeiq_sdk import PluginConfig


class RoleRow(PluginConfig):
    """One row of `jwt_litellm_role_map`."""

    jwt_role: str = Field(description="A value of the roles claim.")
    litellm_role: str = Field(description="LiteLLM's role for it, such as `proxy_admin` or `internal_user`.")


class ClaimFields(PluginConfig):
    """The claims of one issuer, or of all."""

    user_id_jwt_field: str | None = Field(None, description="The claim of the user's id; `sub` without it.")
    user_email_jwt_field: str | None = Field(None, description="The claim of the e-mail address.")
    team_id_jwt_field: str | None = Field(None, description="The claim of the team's id.")
    team_ids_jwt_field: str | None = Field(None, description="The claim of a list of team ids.")
    org_id_jwt_field: str | None = Field(None, description="The claim of the organization's id.")
    user_roles_jwt_field: str | None = Field(None, description="The claim of the user's roles.")
    roles_jwt_field: str | None = Field(None, description="The same, under its other name.")


class IssuerRow(ClaimFields):
    """One row of `issuers`."""

    issuer: str = Field(description="The `iss` of its tokens, exactly.")
    audience: tuple[str, ...] = Field((), description="The `aud` that its tokens have.")
    disable_audience_validation: bool = Field(False, description="Whether every `aud` counts.")
    jwks_url: str | None = Field(None, description="Where its keys are; without it discovery says so.")

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("audience"), str):
            return {**data, "audience": (data["audience"],)}
        return data

    @model_validator(mode="after")
    def _has_an_audience(self) -> IssuerRow:
        if bool(self.audience) == self.disable_audience_validation:
            raise ValueError("either `audience` or `disable_audience_validation: true`")
        return self


class LitellmJwtAuth(ClaimFields):
    """What LiteLLM configures for JSON web tokens."""

    admin_jwt_scope: str = Field("litellm_proxy_admin", description="The scope that makes a token the proxy admin's.")
    user_id_upsert: bool = Field(False, description="Whether unknown users are created.")
    user_allowed_email_domain: str | None = Field(None, description="The only domain of e-mail addresses that counts.")
    user_allowed_roles: tuple[str, ...] = Field((), description="Users need one of these roles.")
    team_id_default: str | None = Field(None, description="The team of tokens that name none.")
    public_key_ttl: float = Field(
        600.0, ge=10, le=86_400, description="Age in seconds at which keys are fetched again."
    )
    jwt_litellm_role_map: tuple[RoleRow, ...] = Field((), description="From roles of the token to LiteLLM's.")
    issuers: tuple[IssuerRow, ...] = Field((), description="Issuers with audiences and claims of their own.")

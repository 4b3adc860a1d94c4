"""Access' own settings: rules of the operator that are written in LiteLLM's sections.

What they do is in `rules` and `gate`.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from routeiq_sdk import FromLitellm, PluginConfig


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no address and no network; write 192.0.2.7 or 10.0.0.0/8") from None
    return text


Network = Annotated[str, AfterValidator(_network)]


class RolePermission(BaseModel):
    """A row of `general_settings.role_permissions`: what callers that an identity provider signed in may do by role."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = Field(description="LiteLLM's role or one of ours, as the token's claims give it.")
    models: tuple[str, ...] | None = Field(None, description="The only models; absent does not narrow.")
    routes: tuple[str, ...] | None = Field(None, description="The only routes or groups; absent does not narrow.")


class AccessSettings(PluginConfig):
    """Who may come in, on which routes, with which parameters."""

    allowed_routes: Annotated[tuple[str, ...] | None, FromLitellm("general_settings.allowed_routes")] = Field(
        None, description="The only routes that callers other than the master key may call: paths, `*` or groups."
    )
    admin_only_routes: Annotated[tuple[str, ...], FromLitellm("general_settings.admin_only_routes")] = Field(
        (), description="Routes for proxy admins alone."
    )
    allowed_ips: Annotated[tuple[Network, ...] | None, FromLitellm("general_settings.allowed_ips")] = Field(
        None, description="The only client addresses (or networks) that are served."
    )
    use_x_forwarded_for: Annotated[bool, FromLitellm("general_settings.use_x_forwarded_for")] = Field(
        False, description="Whether front proxies in `trusted_proxy_ranges` name the client's address."
    )
    trusted_proxy_ranges: Annotated[tuple[Network, ...], FromLitellm("general_settings.trusted_proxy_ranges")] = Field(
        (), description="Front proxies that are believed."
    )
    enforce_user_param: Annotated[bool, FromLitellm("general_settings.enforce_user_param")] = Field(
        False, description="Whether calls of models must name their end user."
    )
    enforced_params: Annotated[tuple[str, ...], FromLitellm("general_settings.enforced_params")] = Field(
        (), description="Parameters that calls of models must have, such as `user` or `metadata.generation_name`."
    )
    reject_clientside_metadata_tags: Annotated[
        bool, FromLitellm("general_settings.reject_clientside_metadata_tags")
    ] = Field(False, description="Whether clients may not send tags.")
    enforce_rbac: Annotated[bool, FromLitellm("general_settings.enforce_rbac")] = Field(
        False, description="Whether callers that an identity provider signed in need a role."
    )
    role_permissions: Annotated[tuple[RolePermission, ...], FromLitellm("general_settings.role_permissions")] = Field(
        (), description="The only models and routes of such callers, by role."
    )
    enforce_fallback_model_access: Annotated[bool, FromLitellm("general_settings.enforce_fallback_model_access")] = (
        Field(True, description="Whether fallbacks need access, too. They always do.")
    )
    fallback_access_check: Annotated[bool, FromLitellm("router_settings.fallback_access_check")] = Field(
        True, description="The same."
    )
    default_team_disabled: Annotated[bool, FromLitellm("general_settings.default_team_disabled")] = Field(
        False, description="Whether nobody but the master key makes keys that belong to no team."
    )
    disable_key_generate_for_org_admin: Annotated[
        bool, FromLitellm("general_settings.disable_key_generate_for_org_admin")
    ] = Field(False, description="Whether org admins make no keys.")
    blocked_user_list: Annotated[tuple[str, ...] | str | None, FromLitellm("litellm_settings.blocked_user_list")] = (
        Field(None, description="End users that are refused: ids, or a text file with one a line.")
    )
    validate_end_user_id_in_db: Annotated[bool, FromLitellm("litellm_settings.validate_end_user_id_in_db")] = Field(
        False, description="Whether end users that are neither customers nor users are refused."
    )
    block_requests_for_models_without_pricing: Annotated[
        bool, FromLitellm("litellm_settings.block_requests_for_models_without_pricing")
    ] = Field(False, description="Whether models without a price are refused.")
    model_group_alias: Annotated[dict[str, Any], FromLitellm("router_settings.model_group_alias")] = Field(
        {}, description="Aliases of models; a list that names the alias or its target allows both."
    )
    model_alias_map: Annotated[dict[str, Any], FromLitellm("litellm_settings.model_alias_map")] = Field(
        {}, description="More aliases of models."
    )
    virtual_models: Annotated[dict[str, Any], FromLitellm("routeiq.virtual_models")] = Field(
        {}, description="Virtual models; who may use one and names none of its members may use all of them."
    )

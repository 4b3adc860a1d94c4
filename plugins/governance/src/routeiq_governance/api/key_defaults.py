"""What new keys get where their request does not say, and the most they may be given, written under
`litellm_settings`.

How a key is made is the business of `key_making`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from routeiq_governance.api.shapes import later, wrong
from routeiq_sdk import FromLitellm, PluginConfig

_LENGTHS = ("duration", "budget_duration")


class TeamKeys(PluginConfig):
    """`key_generation_settings.team_key_generation`: who makes keys of a team, and what they must say."""

    allowed_team_member_roles: tuple[str, ...] | None = Field(
        None, description="Roles in the team whose holders make keys of it: `admin`, `user`."
    )
    required_params: tuple[str, ...] = Field((), description="Fields without which no key of a team is made.")


class PersonalKeys(PluginConfig):
    """`key_generation_settings.personal_key_generation`: who makes keys that belong to no team."""

    allowed_user_roles: tuple[str, ...] | None = Field(
        None, description="Roles of users who make such keys: `proxy_admin`, `internal_user`, ..."
    )
    required_params: tuple[str, ...] = Field((), description="Fields without which no such key is made.")


class KeyGeneration(PluginConfig):
    """`litellm_settings.key_generation_settings`: who makes keys. Proxy admins always do."""

    team_key_generation: TeamKeys | None = Field(None, description="Keys of teams.")
    personal_key_generation: PersonalKeys | None = Field(None, description="Keys that belong to no team.")


class KeySettings(PluginConfig):
    """Rules for new keys."""

    default_key_generate_params: Annotated[
        Mapping[str, Any], FromLitellm("litellm_settings.default_key_generate_params")
    ] = Field(default_factory=dict, description="What a new key gets for each field that its request leaves out.")
    upperbound_key_generate_params: Annotated[
        Mapping[str, Any], FromLitellm("litellm_settings.upperbound_key_generate_params")
    ] = Field(default_factory=dict, description="The most a new key may be given: numbers and durations by field.")
    key_generation_settings: Annotated[
        KeyGeneration | None, FromLitellm("litellm_settings.key_generation_settings")
    ] = Field(None, description="Who makes keys, and what they must say of them.")
    disable_custom_api_keys: Annotated[bool, FromLitellm("general_settings.disable_custom_api_keys")] = Field(
        False, description="Whether callers may not choose their keys."
    )


def with_defaults(settings: KeySettings, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a new key with the defaults of what it leaves out; what has an upper bound and no value gets the
    bound."""
    found = dict(body)
    for source in (settings.default_key_generate_params, settings.upperbound_key_generate_params):
        for name, value in source.items():
            if found.get(name) is None and value is not None:
                found[name] = value
    return found


def refuse_beyond(settings: KeySettings, body: Mapping[str, Any]) -> None:
    """Raises `RequestError(400)` for a field above its upper bound, or without a value where it has one."""
    for name, most in settings.upperbound_key_generate_params.items():
        if most is None or name not in body:
            continue
        value = body[name]
        if value is None:
            raise wrong(name, f"at most {most} may be given")
        if name in _LENGTHS:
            beyond = later(0, str(value)) > later(0, str(most))
        else:
            beyond = isinstance(value, int | float) and isinstance(most, int | float) and value > most
        if beyond:
            raise wrong(name, f"at most {most} may be given")

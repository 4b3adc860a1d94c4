"""What new teams and users get where the request does not say, written under `litellm_settings`.

How a value is applied to a new entity is the business of `api`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from routeiq_sdk import PluginConfig

_DURATION = re.compile(r"([1-9][0-9]{0,6})(mo|[smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 2_678_400}
_LONGEST = 36_525 * 86_400


def _duration(text: str) -> str:
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) * _SECONDS[match[2]] > _LONGEST:
        raise ValueError("not a duration; write a number and s, m, h, d, w or mo, such as 30d, at most 100 years")
    return text


Dollars = Annotated[float, Field(ge=0, le=9e9, allow_inf_nan=False)]
Duration = Annotated[str, AfterValidator(_duration)]
Count = Annotated[int, Field(ge=0)]


class TeamDefaults(PluginConfig):
    """`litellm_settings.default_team_params`: what a new team gets for each field that its request leaves out."""

    max_budget: Dollars | None = Field(None, description="US dollars each window.")
    budget_duration: Duration | None = Field(None, description="The window of the budget, such as `30d`.")
    tpm_limit: Count | None = Field(None, description="Tokens a minute.")
    rpm_limit: Count | None = Field(None, description="Requests a minute.")
    models: tuple[str, ...] = Field((), description="Models of teams that an identity provider makes.")
    team_member_permissions: tuple[str, ...] | None = Field(
        None, description="Management routes that plain members may call for their team."
    )
    organization_id: str | None = Field(None, description="The organization of teams that name none.")
    access_group_ids: tuple[str, ...] | None = Field(None, description="Access groups of models.")


class TeamOfUser(PluginConfig):
    """A team that new users join."""

    team_id: str = Field(description="The team.")
    max_budget_in_team: Dollars | None = Field(None, description="US dollars the user may spend within the team.")
    user_role: Literal["admin", "user"] = Field("user", description="The user's role in the team.")


class UserDefaults(PluginConfig):
    """`litellm_settings.default_internal_user_params`: what a new user gets for each field that its request leaves
    out."""

    user_role: Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"] | None = Field(
        None, description="The role."
    )
    max_budget: Dollars | None = Field(None, description="US dollars each window.")
    budget_duration: Duration | None = Field(None, description="The window of the budget, such as `30d`.")
    tpm_limit: Count | None = Field(None, description="Tokens a minute.")
    rpm_limit: Count | None = Field(None, description="Requests a minute.")
    max_parallel_requests: Count | None = Field(None, description="Calls at once.")
    models: tuple[str, ...] = Field((), description="The only models that the user may ask for.")
    teams: tuple[str | TeamOfUser, ...] = Field((), description="Teams that new users join.")
    available_teams: tuple[str, ...] = Field((), description="Teams that users may join by themselves.")

"""How the defaults of the configuration become part of a new team or user.

The settings themselves are described in `routeiq_governance.defaults`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_governance.api import limit_fields
from routeiq_governance.api.fields import checked
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.limits import Limits

_NOT_OF_A_TEAM = {"models"}  # these are for teams that an identity provider makes
_NOT_OF_A_USER = {"teams", "available_teams", "user_role"}
_BOSSES = ("proxy_admin",)


def team_body(config: GovernanceConfig, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of `/team/new` with the defaults of what it leaves out."""
    if config.default_team_params is None:
        return dict(body)
    defaults = config.default_team_params.model_dump(mode="json", exclude_none=True, exclude=_NOT_OF_A_TEAM)
    return {**body, **{name: value for name, value in defaults.items() if body.get(name) is None}}


def user_body(config: GovernanceConfig, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of `/user/new` with the defaults of what it leaves out, teams aside."""
    found = dict(body)
    defaults = config.default_internal_user_params
    if defaults is not None and body.get("user_role") not in _BOSSES:
        if found.get("user_role") is None and defaults.user_role is not None:
            found["user_role"] = defaults.user_role
        for name, value in defaults.model_dump(mode="json", exclude_none=True, exclude=_NOT_OF_A_USER).items():
            if not found.get(name) and found.get(name) != 0:
                found[name] = value
    if found.get("user_role") == "internal_user":
        budget, duration = _internal_user_budget(config)
        if found.get("max_budget") is None and budget is not None:
            found["max_budget"] = budget
        if found.get("budget_duration") is None and duration is not None:
            found["budget_duration"] = duration
    return found


def limits_of_joining_users(config: GovernanceConfig, now: int) -> Limits:
    """The limits of a user who is made because somebody adds it to a team or an organization."""
    body = user_body(config, {"user_role": "internal_user"})
    fields = checked({name: body[name] for name in limit_fields.CHECKS if name in body}, limit_fields.CHECKS)
    return limit_fields.patched(Limits(), fields, now)


def _internal_user_budget(config: GovernanceConfig) -> tuple[float | None, str | None]:
    budget = config.max_internal_user_budget
    if budget is None:
        budget = config.default_max_internal_user_budget
    return budget, config.internal_user_budget_duration if budget is not None else None

"""How a request wants quality and cost weighed: its own word, its key's, its team's, or the operator's default.

What a profile means in numbers is in the artifact; the arithmetic is in `model.policy`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_routing_ml.config import PROFILES, MlConfig
from routeiq_sdk import Context, RequestError

PROFILE_HEADER = "x-routeiq-profile"
WEIGHT_HEADER = "x-routeiq-lambda"
_FIELD = "routeiq"


@dataclass(frozen=True, slots=True)
class Wish:
    """`profile`, or a `weight` of its own in quality a US dollar. `said_by` is who said so."""

    profile: str
    weight: float | None
    said_by: str


def wish_of(ctx: Context, config: MlConfig) -> Wish:
    """The wish that counts for a request. Raises `RequestError` when the client's own is no wish."""
    if config.client_profile:
        told = _of_client(ctx)
        if told is not None:
            return told
    principal = ctx.principal
    for name in (principal.id, principal.alias):
        if name is not None and name in config.profiles.keys:
            return Wish(config.profiles.keys[name], None, "key")
    if principal.team is not None and principal.team in config.profiles.teams:
        return Wish(config.profiles.teams[principal.team], None, "team")
    told_by_key = principal.attributes.get("routing_profile")
    if told_by_key in PROFILES:
        return Wish(str(told_by_key), None, "key")
    return Wish(config.profile, None, "default")


def check_client(ctx: Context, config: MlConfig) -> None:
    """Raise `RequestError` when the client's own wish is none; strategies may only abstain."""
    if config.client_profile:
        _of_client(ctx)


def _of_client(ctx: Context) -> Wish | None:
    asked = ctx.request.param(_FIELD)
    body: Mapping[str, Any] = asked if isinstance(asked, Mapping) else {}
    weight = ctx.headers.get(WEIGHT_HEADER)
    if weight is None:
        weight = body.get("lambda")
    if weight is not None:
        return Wish("own", _weight(weight), "client")
    profile = ctx.headers.get(PROFILE_HEADER) or body.get("profile")
    if profile is None:
        return None
    if profile not in PROFILES:
        raise RequestError(
            400, f"There is no routing profile {str(profile)[:40]!r}. Use one of: {', '.join(PROFILES)}.", param=_FIELD
        )
    return Wish(profile, None, "client")


def _weight(told: Any) -> float:
    try:
        weight = float(told) if not isinstance(told, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        weight = math.nan
    if not 0 <= weight < 1e12:
        raise RequestError(400, "lambda is quality a US dollar: a number of at least 0.", param=f"{_FIELD}.lambda")
    return weight

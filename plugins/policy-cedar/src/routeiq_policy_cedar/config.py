"""What can be configured: where policies come from and what holds where none of them speaks.

The policies themselves are Cedar text, read in `statements` and checked in `validation`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from routeiq_sdk import PluginConfig

_ACTION = re.compile(r"[a-z][a-z0-9_-]*:[a-z][a-z0-9_-]*")


def _action(text: str) -> str:
    if not _ACTION.fullmatch(text):
        raise ValueError("not an action; write resource:verb, such as report:create")
    return text


class CedarConfig(PluginConfig):
    """Policies from files and from the API. Without a line, nothing is refused and policies come by the API alone."""

    policies: tuple[str, ...] = Field(
        (), description="Files of Cedar policies. They hold beside those of the API, which cannot change them."
    )
    schema_file: str | None = Field(
        None, alias="schema", description="A Cedar schema instead of the shipped one, which it should extend."
    )
    actions: tuple[Annotated[str, AfterValidator(_action)], ...] = Field(
        (), description="Actions of routes of other plugins that policies may name, beside those that are known."
    )
    default: Literal["allow", "deny"] = Field(
        "allow",
        description="What holds where no policy speaks: `allow` leaves it to roles, `deny` wants a permit.",
    )
    bind_admin: bool = Field(
        False, description="Whether policies hold for the master key, too. Without it, that key breaks the glass."
    )
    decision_seconds: float = Field(
        2.0, ge=0, le=5, description="Seconds for which a decision may be kept; a change of policies drops all at once."
    )

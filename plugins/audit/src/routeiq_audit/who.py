"""Whose an event is: events name their user and team themselves, decisions name them in their `input`.

What is done with the names is the callers' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def user_of(event: Mapping[str, Any]) -> Any:
    """The user of an event; nothing when it names none."""
    return event.get("user") or _asked(event, "user_id")


def team_of(event: Mapping[str, Any]) -> Any:
    """The team of an event; nothing when it names none."""
    return event.get("team") or _asked(event, "team_id")


def _asked(event: Mapping[str, Any], name: str) -> Any:
    asked = event.get("input")
    return asked.get(name) if isinstance(asked, Mapping) else None

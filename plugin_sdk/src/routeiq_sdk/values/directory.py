"""People and groups as the directory keeps them, for plugins that provision them or sign them in.

Keys, budgets and rights are the business of the plugin that keeps the directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DirectoryUser:
    """A user. `external_id` is the identity provider's own name for it. An inactive user may do nothing."""

    id: str
    email: str | None = None
    name: str | None = None
    external_id: str | None = None
    organization: str | None = None
    roles: frozenset[str] = frozenset()
    active: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DirectoryGroup:
    """A group of users: a team. `members` are user ids."""

    id: str
    name: str
    external_id: str | None = None
    organization: str | None = None
    members: frozenset[str] = frozenset()

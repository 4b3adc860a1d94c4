"""Sets of actions, compiled for look-up, and where they hold.

Which role has which actions is the table in `roles`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PATTERN = re.compile(r"(?:[a-z][a-z0-9_-]*|\*):(?:[a-z][a-z0-9_-]*|\*)")
READING = frozenset({"read", "list"})
CHANGING = "*:update"
"""Any action that changes something, for questions about reach alone."""


@dataclass(frozen=True, slots=True)
class Permission:
    """A set of actions: single ones (`key:create`), all of a resource (`key:*`), a verb on all resources (`*:read`),
    or everything (`*:*`)."""

    actions: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    everything: bool = False

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Permission:
        """The permission that patterns describe. Raises `ValueError` for one that is no pattern."""
        actions, resources, verbs, everything = set(), set(), set(), False
        for pattern in patterns:
            if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
                raise ValueError(f"{pattern!r} is no action: write resource:verb, such as key:create, key:* or *:read")
            resource, _, verb = pattern.partition(":")
            if (resource, verb) == ("*", "*"):
                everything = True
            elif verb == "*":
                resources.add(resource)
            elif resource == "*":
                verbs.add(verb)
            else:
                actions.add(pattern)
        return cls(frozenset(actions), frozenset(resources), frozenset(verbs), everything)

    def allows(self, action: str) -> bool:
        """Whether the action is in the set."""
        if self.everything or action in self.actions:
            return True
        resource, _, verb = action.partition(":")
        return resource in self.resources or verb in self.verbs

    def covers(self, other: Permission) -> bool:
        """Whether each action of `other` is in this set, those of resources still to come included."""
        if self.everything:
            return True
        return (
            not other.everything
            and other.resources <= self.resources
            and other.verbs <= self.verbs
            and all(self.allows(action) for action in other.actions)
        )

    def joined(self, other: Permission) -> Permission:
        """The union of both sets."""
        return Permission(
            self.actions | other.actions,
            self.resources | other.resources,
            self.verbs | other.verbs,
            self.everything or other.everything,
        )

    def patterns(self) -> list[str]:
        """The set as it is written, sorted."""
        if self.everything:
            return ["*:*"]
        whole = [f"{name}:*" for name in self.resources] + [f"*:{verb}" for verb in self.verbs]
        return sorted([*self.actions, *whole])


NOTHING = Permission()


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions at a scope: `permission` on the scope itself and all that lies in it, `below` only on what lies in it.

    `scope` is `global`, `organization`, `team`, `member` (id `TEAM/USER`: the user's keys of that team), `user` (the
    user and its personal keys) or `key`.
    """

    permission: Permission
    scope: str
    id: str = ""
    below: Permission = NOTHING
    role: str = ""

    def allows_somewhere(self, action: str) -> bool:
        """Whether the action is allowed on the scope or on something in it."""
        return self.permission.allows(action) or self.below.allows(action)

    def allows(self, action: str, place: Place) -> bool:
        """Whether the action is allowed on what lies at `place`."""
        if not self.reaches(place, action):
            return False
        return self.permission.allows(action) or (not self.is_at(place) and self.below.allows(action))

    def is_at(self, place: Place) -> bool:
        """Whether `place` is the scope itself."""
        return self.scope == place.scope and self.id == place.id

    def reaches(self, place: Place, action: str) -> bool:
        """Whether `place` lies in the scope, as far as this action is concerned: more is seen than may be changed."""
        if self.scope == "global" or self.is_at(place):
            return True
        if self.id in place.within.get(self.scope, ()):
            return True
        return action.rpartition(":")[2] in READING and self.id in place.seen_from.get(self.scope, ())


def permissions_of(grants: Iterable[Grant]) -> tuple[Permission, ...]:
    """All sets of actions in many grants, each once: a thousand bindings of one role have one."""
    found = {id(each): each for grant in grants for each in (grant.permission, grant.below)}
    return tuple(each for each in found.values() if each is not NOTHING)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing lies: the ids of organizations, teams, members, users it belongs to (`within`), and of those who
    may see it beside them (`seen_from`), both by scope."""

    scope: str
    id: str
    within: dict[str, frozenset[str]]
    seen_from: dict[str, frozenset[str]]

    @property
    def tenants(self) -> frozenset[str]:
        """The organizations that own it; none means the gateway's own, nameless tenant."""
        return self.within.get("organization", frozenset())


EVERYWHERE = Place("global", "", {}, {})

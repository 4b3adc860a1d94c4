"""Where somebody stands: all grants of a caller, from its role, memberships, bindings and the key itself.

Narrowing a key to routes is in `routes`, where things lie in `places`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from routeiq_governance.access.permission import CHANGING, Grant, Permission, Place, permissions_of
from routeiq_governance.access.roles import (
    BELONGS,
    BUILT_IN,
    CALLER,
    INFERENCE,
    MEMBER,
    MEMBER_DEFAULT,
    MEMBER_ROUTES,
    ORDINARY,
    ORGANIZATION_MEMBER,
    SCOPED,
    TEAM_MEMBER,
)
from routeiq_governance.access.snapshot import Snapshot, grant
from routeiq_governance.identity.caller import Caller

_SEES_ITSELF = Permission.of(("user:read",))
_SEES_SPEND = Permission.of(("spend:read", "spend:list"))
_ALL = (grant(BUILT_IN["owner"], "global", ""),)
MASTER = "admin"


@dataclass(frozen=True, slots=True)
class Membership:
    """A user in a team or an organization. `organization` is the team's; `routes` are what the team permits plain
    members."""

    scope: str
    id: str
    role: str
    organization: str | None = None
    routes: tuple[str, ...] = MEMBER_DEFAULT

    def grants(self, user: str) -> tuple[Grant, ...]:
        """What follows from it."""
        if self.scope == "organization":
            name = ORGANIZATION_MEMBER.get(self.role)
            more = (grant(BUILT_IN[name], "organization", self.id),) if name is not None else ()
            return (grant(BELONGS, "organization", self.id), *more)
        name = TEAM_MEMBER.get(self.role)
        if name is not None:
            return (grant(BUILT_IN[name], "team", self.id),)
        sees = grant(MEMBER, "team", self.id)
        if not user:
            return (sees,)
        actions = Permission.of(action for route in self.routes for action in MEMBER_ROUTES.get(route, ()))
        return (sees, Grant(actions, "member", f"{self.id}/{user}", role="member"))


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything a caller may do, and in which organizations it is at home (`None`: in none, the nameless tenant)."""

    grants: tuple[Grant, ...]
    tenants: frozenset[str | None]

    def allows(self, action: str, place: Place) -> bool:
        """Whether some grant allows the action there."""
        return any(grant.allows(action, place) for grant in self.grants)

    def opens(self, action: str) -> bool:
        """Whether some grant opens the gate of a route with this action: any grant where handlers ask for the place,
        else one that holds everywhere."""
        held = self.grants if is_scoped(action) else [each for each in self.grants if each.scope == "global"]
        return any(each.allows(action) for each in permissions_of(held))

    def covers(self, other: Grant, place: Place) -> bool:
        """Whether one grant of mine allows all that `other`, which holds at `place`, does."""
        return any(
            mine.reaches(place, CHANGING)
            and (mine.permission if mine.is_at(place) else mine.permission.joined(mine.below)).covers(other.permission)
            and mine.permission.joined(mine.below).covers(other.below)
            for mine in self.grants
        )

    def knows(self, place: Place) -> bool:
        """Whether the thing is of a tenant of the caller's, so that its existence is no secret."""
        if place.scope == "global" or self.allows(f"{place.scope}:read", place):
            return True
        owners = place.tenants | place.seen_from.get("organization", frozenset())
        return bool(owners & self.tenants) if owners else None in self.tenants

    def without(self, role: str) -> Standing:
        """The same, without what one role grants."""
        return replace(self, grants=tuple(each for each in self.grants if each.role != role))


def is_scoped(action: str) -> bool:
    """Whether routes with this action ask where a thing lies, or call a model, which `models` decides about."""
    return action in INFERENCE or action.partition(":")[0] in SCOPED


def own_grants(caller: Caller, snapshot: Snapshot) -> tuple[Grant, ...]:
    """What the caller's own fields grant, read from no store: enough for calls of models."""
    if caller.kind == MASTER:
        return _ALL
    found: list[Grant] = []
    user, team = caller.user, caller.team
    if caller.kind in ("key", "service") or not (caller.role or caller.roles):
        scope, id = ("key", caller.key_id) if caller.key_id is not None else ("user", user or "")
        found.append(grant(CALLER, scope, id))
    organization = caller.organization
    names = set(caller.roles)
    if caller.role is not None:
        names.add(caller.role)
    elif user is not None and not caller.roles and caller.entity("user") is not None:
        names.add(ORDINARY)
    for name in sorted(names):
        found += snapshot.grants_of(name, user=user, team=team, organization=organization)
    if team is not None:
        found += Membership("team", team, caller.member_role or "", organization, _routes_of(caller)).grants(user or "")
    if caller.organization_role is not None and organization is not None:
        found += Membership("organization", organization, caller.organization_role).grants(user or "")
    if user is not None:
        found += snapshot.bound.get(f"user:{user}", ())
    if caller.key_id is not None:
        found += snapshot.bound.get(f"key:{caller.key_id}", ())
        if _may_see_spend(caller):
            found.append(Grant(_SEES_SPEND, "global", role="get_spend_routes"))
    return confined(found, caller)


def standing_of(caller: Caller, snapshot: Snapshot, memberships: Iterable[Membership]) -> Standing:
    """The whole standing of a caller whose memberships are known."""
    found = list(own_grants(caller, snapshot))
    more: list[Grant] = []
    tenants: set[str | None] = {caller.organization} if caller.organization is not None else set()
    for membership in memberships:
        more += membership.grants(caller.user or "")
        tenants.add(membership.id if membership.scope == "organization" else membership.organization)
    found += confined(more, caller)
    tenants |= {each.id for each in found if each.scope == "organization"}
    tenants = tenants - {None} or {None}
    return Standing(tuple(dict.fromkeys(found)), frozenset(tenants))


def confined(grants: Iterable[Grant], caller: Caller) -> tuple[Grant, ...]:
    """A key of a team acts for its user in that team alone, so that whoever runs the team may hold it: it keeps what
    the user may do there, above it and with the key itself, and sees who its user is."""
    if caller.key_id is None or caller.team is None or caller.user is None:
        return tuple(grants)
    kept = []
    for each in grants:
        here = (
            each.scope in ("global", "key")
            or (each.scope == "organization" and each.id == caller.organization and each.role != BELONGS.name)
            or (each.scope == "team" and each.id == caller.team)
            or (each.scope == "member" and each.id == f"{caller.team}/{caller.user}")
        )
        if here:
            kept.append(each)
        elif each.scope == "user" and each.id == caller.user:
            kept.append(Grant(_inference(each), "user", each.id, role=each.role))
    return tuple(kept)


def _inference(each: Grant) -> Permission:
    """Of a grant over the user: calling models, and seeing who the user is."""
    calls = frozenset(action for action in CALLER.permission.actions if each.permission.allows(action))
    return Permission((calls - {"key:read", "access_group:list"}) | _SEES_ITSELF.actions)


def _routes_of(caller: Caller) -> tuple[str, ...]:
    team = caller.entity("team")
    return routes_of(team.settings if team is not None else {})


def routes_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The routes that a team's settings permit its plain members."""
    written = settings.get("team_member_permissions")
    return tuple(str(route) for route in written) if isinstance(written, list | tuple) else MEMBER_DEFAULT


def _may_see_spend(caller: Caller) -> bool:
    key = caller.entity("key")
    permissions = key.settings.get("permissions") if key is not None else None
    return isinstance(permissions, Mapping) and permissions.get("get_spend_routes") is True

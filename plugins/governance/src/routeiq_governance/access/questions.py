"""What handlers ask about a caller and an entity: may it, does it see it, where may it.

The gates of requests are in `gate`, what may be granted is in `granting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.access import refusals
from routeiq_governance.access.fields import base, needed
from routeiq_governance.access.granting import Granting
from routeiq_governance.access.known import Callers
from routeiq_governance.access.permission import READING, Permission, Place
from routeiq_governance.access.places import Places
from routeiq_governance.access.standing import Standing
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Caller


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a caller may do an action: everywhere, or in these organizations, teams, users, keys and members (by id).

    An organization reaches its teams, its users and their keys; a team its keys; a user its personal keys, and for
    reading all its keys; a member (`TEAM/USER`) the user's keys of that team. For the filter of a list:
    `WHERE organization_id IN ... OR team_id IN ... OR user_id IN ... OR id IN ... OR (team_id, user_id) IN ...`.
    """

    everywhere: bool = False
    organizations: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()


class Questions:
    """Answers from standings and places. All raise `StoreUnavailable` while the database is away."""

    def __init__(self, config: GovernanceConfig, callers: Callers, places: Places, granting: Granting) -> None:
        self._callers = callers
        self._places = places
        self._granting = granting
        self.profile = ""
        self._no_personal_keys = config.default_team_disabled
        self._no_keys_by_organization_admins = config.disable_key_generate_for_org_admin

    async def require(
        self, caller: Caller, action: str, scope: str, id: str | None, within: AsyncConnection | None
    ) -> None:
        """Pass or raise `RequestError`."""
        place = await self._places.find(scope, id, within)
        if place is None:
            raise refusals.not_found(scope, id or "")
        standing = await self._standing(caller, action, within)
        if not self._may(caller, standing, action, place):
            raise await self._refusal(caller, standing, action, place, within)
        user, team = await self._acts_for(action, place, within)
        if user is not None and user != caller.user:
            await self._granting.credential(caller, user, team, within, is_known=place.scope != "member")

    async def allows(
        self, caller: Caller, action: str, scope: str, id: str | None, within: AsyncConnection | None
    ) -> bool:
        """Whether some role allows the action there."""
        place = await self._places.find(scope, id, within)
        if place is None:
            return False
        return self._may(caller, await self._standing(caller, action, within), action, place)

    async def reach(self, caller: Caller, action: str) -> Reach:
        """Where some role allows the action."""
        ids: dict[str, set[str]] = {}
        if not _narrowed(caller, action):
            for each in (await self._standing(caller, action, None)).grants:
                if each.allows_somewhere(action):
                    ids.setdefault(each.scope, set()).add(each.id)
        of = {scope: frozenset(found) for scope, found in ids.items()}
        none: frozenset[str] = frozenset()
        return Reach(
            "global" in of,
            of.get("organization", none),
            of.get("team", none),
            of.get("user", none) - {""},
            of.get("key", none),
            of.get("member", none),
        )

    async def fields(
        self,
        caller: Caller,
        resource: str,
        fields: Iterable[str],
        scope: str,
        id: str | None,
        within: AsyncConnection | None,
    ) -> None:
        """Whether the caller may set these fields. Raises `RequestError`."""
        names = list(fields)
        actions = {field: needed(resource, field, scope) for field in names}
        plain = base(resource, scope)
        if not names or plain in actions.values():
            await self.require(caller, plain, scope, id, within)
        place = await self._places.find(scope, id, within)
        if place is None:
            raise refusals.not_found(scope, id or "")
        standing = await self._standing(caller, plain, within)
        for field, action in actions.items():
            if action != plain and not self._may(caller, standing, action, place):
                if not standing.knows(place):
                    raise refusals.not_found(scope, id or "")
                raise refusals.privileged_field(field, action)
        if isinstance(fields, Mapping):
            await self._moves(caller, resource, fields, place, within)

    async def _moves(
        self, caller: Caller, resource: str, values: Mapping[str, object], place: Place, within: AsyncConnection | None
    ) -> None:
        """Whoever puts a thing elsewhere must be allowed to make it there."""
        for field, target in (("organization_id", "organization"), ("team_id", "team")):
            value = values.get(field)
            if not isinstance(value, str) or (resource, field) not in _MOVES or place.scope == target:
                continue
            if value in place.within.get(target, ()):
                continue  # it is there
            user = values.get("user_id")
            if target == "team" and isinstance(user, str):
                await self.require(caller, f"{resource}:create", "member", f"{value}/{user}", within)
            else:
                await self.require(caller, f"{resource}:create", target, value, within)

    async def _standing(self, caller: Caller, action: str, within: AsyncConnection | None) -> Standing:
        standing = await self._callers.standing(caller, within)
        if action == "key:create" and self._no_keys_by_organization_admins:
            return standing.without("org_admin")
        return standing

    def _may(self, caller: Caller, standing: Standing, action: str, place: Place) -> bool:
        if _narrowed(caller, action):
            return False
        if action == "key:create" and place.scope == "user" and self._no_personal_keys and not caller.is_admin:
            return False
        return standing.allows(action, place)

    async def _acts_for(
        self, action: str, place: Place, within: AsyncConnection | None
    ) -> tuple[str | None, str | None]:
        """Whose credential the action hands out or whom it changes: a user, and the team of the key."""
        if action == "key:rotate" and place.scope == "key":
            return await self._places.holder(place.id, within)
        if place.scope == "user" and action.startswith("user:") and action.partition(":")[2] not in READING:
            return place.id, None
        if place.scope == "user" and action == "key:create":
            return place.id, None
        if place.scope == "member" and action == "key:create":
            team, _, user = place.id.partition("/")
            return user, team
        return None, None

    async def _refusal(
        self, caller: Caller, standing: Standing, action: str, place: Place, within: AsyncConnection | None
    ) -> Exception:
        if not standing.knows(place):
            return refusals.not_found(place.scope, place.id)
        team = caller.team or next(iter(place.within.get("team", ())), None)
        if place.scope in ("member", "key") and team is not None and action.startswith("key:"):
            sees = standing.allows("team:read", place)
            if sees and not standing.allows("team:update", place):
                return refusals.member_may_not(action, team, self.profile)
        return refusals.missing_right(action, f"at {place.scope} {place.id}".rstrip())


_MOVES = frozenset(
    {("team", "organization_id"), ("user", "organization_id"), ("key", "organization_id"), ("key", "team_id")}
)


def _narrowed(caller: Caller, action: str) -> bool:
    """Whether the key itself is narrowed to other actions."""
    return caller.allowed_actions is not None and not Permission.of(caller.allowed_actions).allows(action)

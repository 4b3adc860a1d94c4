"""Nobody grants what it does not have: roles, credentials of others, models, limits and routes of keys.

After Kubernetes' `escalate` and `bind` checks. Who may do an action at all is `questions`' business.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.access import refusals
from routeiq_governance.access.known import Callers
from routeiq_governance.access.models import ALL_TEAM, Allowed, allowed
from routeiq_governance.access.permission import Grant, Place
from routeiq_governance.access.places import Places
from routeiq_governance.access.roles import BUILT_IN, CALLER, LITELLM, TEAM_MEMBER
from routeiq_governance.access.routes import wanted_scope
from routeiq_governance.access.snapshot import grant
from routeiq_governance.access.standing import Standing, standing_of
from routeiq_governance.identity.caller import Caller
from routeiq_governance.identity.limits import BudgetWindow, Limits
from routeiq_sdk import RequestError

_OWNER = grant(BUILT_IN["owner"], "global", "")
_NUMBERS = ("budget", "requests_a_minute", "tokens_a_minute", "tokens_a_day", "concurrent")


class Granting:
    """Checks of what is granted, over the standings of callers."""

    def __init__(self, callers: Callers, places: Places) -> None:
        self._callers = callers
        self._places = places

    async def role(
        self, caller: Caller, name: str, scope: str, id: str | None, within: AsyncConnection | None = None
    ) -> None:
        """Whether the caller may do, at the scope, all that the role may. Raises `RequestError`."""
        place = await self._places.find(scope, id, within)
        if place is None:
            raise refusals.not_found(scope, id or "")
        wanted = self._meant(name, scope, id or "", next(iter(place.tenants), None))
        standing = await self._callers.standing(caller, within)
        for each in wanted:
            at = place if each.scope == scope else await self._places.find(each.scope, each.id, within)
            if at is None or not standing.covers(each, at):
                raise refusals.beyond(f"the role {name!r} at {scope} {id or ''}".rstrip(), "role")

    async def permission(self, caller: Caller, wanted: Grant, within: AsyncConnection | None = None) -> None:
        """Whether the caller may do all that one grant allows. Raises `RequestError`."""
        place = await self._places.find(wanted.scope, wanted.id or None, within)
        if place is None:
            raise refusals.not_found(wanted.scope, wanted.id)
        if not (await self._callers.standing(caller, within)).covers(wanted, place):
            raise refusals.beyond(f"{', '.join(wanted.permission.patterns())} at {wanted.scope} {wanted.id}".rstrip())

    async def credential(
        self,
        caller: Caller,
        user: str,
        team: str | None,
        within: AsyncConnection | None = None,
        *,
        is_known: bool = False,
    ) -> None:
        """Whether the caller may do all that a key of `user` (in `team`, if any) could do. Raises `RequestError`: 404
        for a user of another tenant, unless the caller met it already (`is_known`)."""
        standing = await self._callers.standing(caller, within)
        if standing.covers(_OWNER, await self._at("global", "", within)):
            return
        row, home = await self._places.user(user, within), await self._places.find("user", user, within)
        if row is None or home is None or not (is_known or standing.knows(home)):
            raise refusals.not_found("user", user)
        role, organization = row
        if team is not None:
            place = await self._at("team", team, within)
            organization = next(iter(place.tenants), None)
        memberships = await self._places.memberships(user, within)
        key = Caller(
            kind="key", key_id="", user=user, team=team, organization=organization, role=role or "internal_user"
        )
        theirs = standing_of(key, self._callers.snapshot, memberships)
        for each in theirs.grants:
            if each.role == CALLER.name:
                continue
            at = await self._places.find(each.scope, each.id or None, within)
            if at is not None and not standing.covers(each, at) and not _harmless(each, standing, at):
                raise refusals.beyond(f"a key of {user!r}, who may do more than you", "user_id")

    def routes(self, caller: Caller, allowed_routes: Sequence[str] | None, key_type: str | None) -> None:
        """Whether a key with these routes stays within the calling key's own. Raises `RequestError`."""
        mine = self._callers.of(caller).scope
        if mine is None:
            return
        wanted = wanted_scope(allowed_routes, key_type)
        if wanted is None or not mine.holds(wanted):
            raise refusals.beyond(f"your key may call {sorted(mine.entries)} alone", "allowed_routes")

    async def models(self, caller: Caller, models: Sequence[str], within: AsyncConnection | None = None) -> None:
        """Whether a list of models stays within the calling key's own. Raises `RequestError`."""
        key, team = caller.entity("key"), caller.entity("team")
        if key is None or not key.models or await self._is_owner(caller, within):
            return
        own = list(key.models)
        if ALL_TEAM in own:
            own = [*(name for name in own if name != ALL_TEAM), *(team.models if team is not None else ("*",))]
        mine = allowed("key", own, self._callers.snapshot.access_groups)
        if mine is not None and (not models or not all(_holds(mine, key.models, name) for name in models)):
            raise refusals.beyond("your key may use fewer models", "models")

    async def limits(self, caller: Caller, limits: Limits, within: AsyncConnection | None = None) -> None:
        """Whether limits are at least as tight as the calling key's own. Raises `RequestError`."""
        key = caller.entity("key")
        if key is None or await self._is_owner(caller, within):
            return
        looser = looser_field(key.limits, limits)
        if looser is not None:
            raise refusals.beyond(f"the limit {looser} of your own key is tighter", looser)

    async def _is_owner(self, caller: Caller, within: AsyncConnection | None) -> bool:
        return (await self._callers.standing(caller, within)).covers(_OWNER, await self._at("global", "", within))

    async def _at(self, scope: str, id: str, within: AsyncConnection | None) -> Place:
        place = await self._places.find(scope, id or None, within)
        if place is None:
            raise refusals.not_found(scope, id)
        return place

    def _meant(self, name: str, scope: str, id: str, organization: str | None) -> list[Grant]:
        """The grants that a role would be: LiteLLM's member roles, LiteLLM's user roles, or ours."""
        if scope == "team" and name in ("admin", "user"):
            role = TEAM_MEMBER.get(name)
            return [grant(BUILT_IN[role], scope, id)] if role is not None else []
        if name in LITELLM and (name not in BUILT_IN or name == "org_admin"):
            return [
                grant(BUILT_IN[ours], "global" if at == "global" else scope, "" if at == "global" else id)
                for ours, at in LITELLM[name]
            ]
        found = self._callers.snapshot.role(name, organization)
        if found is None:
            raise RequestError(400, f"there is no role {name!r}", param="role")
        return [grant(found, scope, id)]


def _harmless(each: Grant, standing: Standing, place: Place) -> bool:
    """Whether a grant only shows what its holder may be seen to have anyway: reading, where the caller reads, too, and
    calls of models in a team that the caller runs."""
    reads = {action for action in each.permission.actions if action.partition(":")[2] in ("read", "list")}
    calls = each.permission.actions - reads
    if each.permission.resources or each.permission.verbs or each.permission.everything or each.below.actions:
        return False
    return calls <= CALLER.permission.actions and all(standing.allows(action, place) for action in reads)


def _holds(mine: Allowed, own: Sequence[str], name: str) -> bool:
    return name in own or (mine.allows((name,)) and name != ALL_TEAM)


def looser_field(own: Limits, wanted: Limits) -> str | None:
    """The first limit of `own` that `wanted` does not keep; a limit that `own` does not have is kept by anything."""
    for field in _NUMBERS:
        mine, theirs = getattr(own, field), getattr(wanted, field)
        if mine is not None and (theirs is None or theirs > mine):
            return field
    if own.budget is not None and wanted.budget_duration not in (None, own.budget_duration):
        return "budget_duration"
    for field in ("model_requests_a_minute", "model_tokens_a_minute", "tag_requests_a_minute", "model_budgets"):
        mine, theirs = getattr(own, field), getattr(wanted, field)
        if any(name not in theirs or _looser(limit, theirs[name]) for name, limit in mine.items()):
            return field
    kept = {window.duration: window.limit for window in wanted.budget_windows}
    if any(kept.get(window.duration, window.limit + 1) > window.limit for window in own.budget_windows):
        return "budget_windows"
    return None


def _looser(mine: int | BudgetWindow, theirs: int | BudgetWindow) -> bool:
    if isinstance(mine, BudgetWindow) and isinstance(theirs, BudgetWindow):
        return theirs.limit > mine.limit or theirs.duration != mine.duration
    return theirs > mine  # type: ignore[operator]

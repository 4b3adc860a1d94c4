"""What a caller may do: the gates of access, and the questions that handlers of management routes ask.

Roles, models, routes, fields and grants each have a module of their own here; nothing is decided in this one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import EllipsisType

from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.access import refusals
from routeiq_governance.access.calls import Calls
from routeiq_governance.access.end_users import EndUsers
from routeiq_governance.access.fields import instead
from routeiq_governance.access.granting import Granting
from routeiq_governance.access.known import Callers
from routeiq_governance.access.permission import Permission
from routeiq_governance.access.places import Places
from routeiq_governance.access.questions import Questions, Reach
from routeiq_governance.access.rules import Rules
from routeiq_governance.access.standing import Standing, is_scoped
from routeiq_governance.access.tools import Target, permitted
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Caller
from routeiq_governance.identity.gate import Identity
from routeiq_governance.identity.limits import Limits
from routeiq_governance.store.database import Database
from routeiq_sdk import Context, Deployment, Gateway, Principal, Reject, StoreUnavailable

__all__ = ["Access", "Reach"]

_CHANGES = ("roles", "bindings", "access_groups")
_MEMBERS = ("members", "teams", "organizations", "users")


class Access:
    """Decides over actions, requests and targets.

    How a handler that changes something asks, all awaited, before its transaction or with its connection as `within`:

    ```python
    caller = await parts.identity.caller_of(request)
    await access.require(caller, "key:create", scope="team", id=team_id)        # create: in whose scope
    await access.check_fields(caller, "key", body, "team", team_id)             # privileged fields of the body
    await access.check_grant(caller, user=user_id, team=team_id, models=models, limits=limits,
                             allowed_routes=allowed_routes, key_type=key_type)  # what the new key could do
    ```
    An update asks `check_fields` (which asks for `RESOURCE:update` by itself) in place of `require`, and `check_grant`
    with what the thing would be afterwards. `scope` is `global`, `organization`, `team`, `user`, `key`, or `member`
    with the id `TEAM/USER`: a key of a team that has a user is made in that scope, so that the team's permissions of
    plain members count. `id` is the entity's id (of a key: the SHA-256 hex). What lies in no tenant (customers,
    budgets, tags, credentials) is asked for with the scope `global`.
    """

    def __init__(self, config: GovernanceConfig, database: Database, identity: Identity) -> None:
        self._config = config
        self._identity = identity
        self._rules = Rules(config)
        self._places = Places(database)
        self._callers = Callers(database, self._places, self._rules)
        self._granting = Granting(self._callers, self._places)
        self._profile = ""
        self._end_users = EndUsers(database)
        self._calls = Calls(config, self._callers, identity, self._rules, self._end_users)
        self._questions = Questions(config, self._callers, self._places, self._granting)

    async def open(self, gateway: Gateway) -> None:
        """Load roles and bindings, and hear of changes to them. Raises `PluginError` for a row of a model whose access
        windows make no sense."""
        self._profile = self._questions.profile = gateway.litellm_profile
        self._calls.open(gateway)
        for kind in _CHANGES:
            self._identity.changes.on(kind, self._reload)
        for kind in _MEMBERS:
            self._identity.changes.on(kind, self._forget)
        await self._callers.load()

    async def close(self) -> None:
        """Nothing to give back."""

    async def authorize_action(self, ctx: Context, action: str) -> bool | Reject | None:
        """Whether the caller may do the route's action somewhere: its key's routes, and its roles as they are now.

        `None` (no opinion) for actions on resources that know no tenants, when no role that holds everywhere allows it.
        """
        refused = self._rules.address(ctx)
        if refused is not None:
            return refused
        caller = await self._identity.caller(ctx)
        refused = self._rules.route(ctx, caller)
        if refused is not None:
            return refused
        known = self._callers.of(caller)
        if known.scope is not None and not known.scope.allows(ctx.path):
            return refusals.narrowed_key(ctx.path, known.scope.entries)
        if caller.allowed_actions is not None and not Permission.of(caller.allowed_actions).allows(action):
            return refusals.narrowed_key(ctx.path, caller.allowed_actions)
        if known.may(action):
            return True
        wanted = (action, *instead(action))
        if any(known.may(each) for each in wanted):
            return True
        async with _reachable():
            standing = await self._callers.standing(caller)
        if any(standing.opens(each) for each in wanted):
            return True
        if not is_scoped(action):
            return None
        return refusals.route_refused(action, ctx.path, caller.role, self._profile)

    async def authorize(self, ctx: Context) -> Reject | None:
        """Whether the caller may ask for this model with this body now."""
        async with _reachable():
            return await self._calls.authorize(ctx, await self._identity.caller(ctx))

    async def permitted_tools(self, ctx: Context, target: Target, tools: Sequence[str]) -> Collection[str] | None:
        """Those of a server's tools that the caller may use; `None` for no opinion."""
        caller = await self._identity.caller(ctx)
        if self._calls.blocked(caller) is not None:
            return ()
        customer = await self._identity.customer(ctx)
        needed = self._config.require_key_mcp_access_defined and target.protocol == "mcp"
        return permitted(caller, customer, target, tools, grant_needed=needed)

    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        """Whether the caller may use this deployment: each attempt's, fallbacks too."""
        return self._calls.authorize_target(ctx, deployment)

    def narrowed(self, principal: Principal, caller: Caller) -> Principal:
        """The principal with the names of models that its caller may use, for lists of models and as a second net, and
        with the public names of its team's own models."""
        names, public = self._calls.names(caller), self._calls.public_names(caller)
        if names is None and not public:
            return principal
        return replace(principal, models=names, aliases={**public, **principal.aliases})

    def client_of(self, ctx: Context) -> str | None:
        """The client's address, as far as it can be believed."""
        return self._rules.client_of(ctx)

    async def require(
        self, caller: Caller, action: str, *, scope: str, id: str | None = None, within: AsyncConnection | None = None
    ) -> None:
        """Pass, or raise `RequestError`: 404 when `id` does not exist or belongs to another tenant, 403 when the
        caller misses the right in its own. Changing a user, making a key for one and making a key show itself again
        also ask that the caller may do all that the user may. Raises `RequestError(503)` while the database is away."""
        async with _reachable():
            await self._questions.require(caller, action, scope, id, within)

    async def allows(
        self, caller: Caller, action: str, *, scope: str, id: str | None = None, within: AsyncConnection | None = None
    ) -> bool:
        """Whether a role allows the action there, as an answer. Raises `RequestError(503)`."""
        async with _reachable():
            return await self._questions.allows(caller, action, scope, id, within)

    async def sees(self, caller: Caller, scope: str, id: str, *, within: AsyncConnection | None = None) -> bool:
        """Whether the caller may read this entity (`team:read` of a team, ...). `False` for one that does not exist.
        Raises `RequestError(503)` while the database is away."""
        async with _reachable():
            return await self._questions.allows(caller, f"{scope}:read", scope, id, within)

    async def reach(self, caller: Caller, action: str) -> Reach:
        """Where the caller may do `action`: what the query of a list is narrowed to. Raises `RequestError(503)`."""
        async with _reachable():
            return await self._questions.reach(caller, action)

    async def check_grant(
        self,
        caller: Caller,
        *,
        role: str | None = None,
        scope: str = "global",
        id: str | None = None,
        user: str | None = None,
        team: str | None = None,
        models: Sequence[str] | None = None,
        limits: Limits | None = None,
        allowed_routes: Sequence[str] | EllipsisType | None = ...,
        key_type: str | None = None,
        within: AsyncConnection | None = None,
    ) -> None:
        """Nobody grants what they do not have; raises `RequestError(403)`. What is asked depends on what is given:

        `role` at `scope`/`id` (a role of ours or of LiteLLM): the caller may do all that role may, there.
        `user` (with the `team` of the key, if any): a credential of that user; the caller may do all it could do.
        `models` and `limits` of a thing to be made or changed, after the change (`[]` and empty limits do not bound):
        within those of the calling key. `allowed_routes` and `key_type` of a key, `None` when it has none: within the
        calling key's own, if that is narrowed.
        """
        async with _reachable():
            if role is not None:
                await self._granting.role(caller, role, scope, id, within)
            if user is not None:
                await self._granting.credential(caller, user, team, within)
            if models is not None:
                await self._granting.models(caller, models, within)
            if limits is not None:
                await self._granting.limits(caller, limits, within)
            if not isinstance(allowed_routes, EllipsisType):
                self._granting.routes(caller, allowed_routes, key_type)

    async def check_fields(
        self,
        caller: Caller,
        resource: str,
        fields: Iterable[str],
        scope: str,
        id: str | None = None,
        *,
        within: AsyncConnection | None = None,
    ) -> None:
        """Whether the caller may set these fields (their names in the request) of a `key`, `team`, `user`,
        `organization`, `customer`, `budget`, `tag` or `member`. Plain fields need `RESOURCE:update`, privileged ones
        an action of their own (`team:limit`, ...). Raises like `require`, with the field as `param`. Given the whole
        body as a mapping, it also asks whether the thing may be made in the team or organization it is put into."""
        async with _reachable():
            await self._questions.fields(caller, resource, fields, scope, id, within)

    async def standing(self, caller: Caller) -> Standing:
        """Everything that the caller may do, and where. Raises `RequestError(503)` while the database is away."""
        async with _reachable():
            return await self._callers.standing(caller)

    def routes_of(self, caller: Caller) -> list[str] | None:
        """What the calling key is narrowed to; `None` when it is not."""
        scope = self._callers.of(caller).scope
        return sorted(scope.entries) if scope is not None else None

    def models_of(self, caller: Caller) -> list[str] | None:
        """The names of models that the caller may ask for; `None` when nothing bounds it."""
        names = self._calls.names(caller)
        return sorted(names) if names is not None else None

    @property
    def granting(self) -> Granting:
        """The checks of grants one by one, for the routes of roles and bindings."""
        return self._granting

    @property
    def places(self) -> Places:
        """Where entities lie."""
        return self._places

    async def _reload(self, _id: str) -> None:
        await self._callers.load()

    async def _forget(self, _id: str) -> None:
        self._callers.forget_memberships()
        self._end_users.forget()


@asynccontextmanager
async def _reachable() -> AsyncIterator[None]:
    """A database that is away, as clients hear of it."""
    try:
        yield
    except StoreUnavailable:
        raise refusals.away() from None

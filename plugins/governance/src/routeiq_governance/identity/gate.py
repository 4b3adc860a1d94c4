"""Who calls: from a credential to a caller, from memory when it was seen before.

What a caller may do is decided in `access`; what a key may look like in `credentials`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy import update

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity import credentials, refusals
from routeiq_governance.identity.asking import ANSWER_SECONDS, Asking
from routeiq_governance.identity.caller import Caller, Entity
from routeiq_governance.identity.changes import Changes
from routeiq_governance.identity.resolve import Resolver, shared_limits
from routeiq_governance.store import entities
from routeiq_governance.store.database import Database
from routeiq_governance.store.entities import Key
from routeiq_sdk import Context, Gateway, Principal, Reject, RequestError, StoreUnavailable
from routeiq_sdk.values.http import HttpRequest

log = structlog.get_logger("routeiq.governance.identity")

_MOST_KEYS = 20_000
_MOST_UNKNOWN = 20_000
_MOST_PEOPLE = 10_000
_REGION = "allowed_model_region"
_KINDS = ("keys", "teams", "users", "organizations", "members", "budgets", "access_groups")
MASTER = Caller(kind="admin")
GATEWAY = Caller(kind="admin", user="gateway")

_Name = tuple[str, str | None, str | None, str | None, frozenset[str]]
Narrow = Callable[[Principal, Caller], Principal]


@dataclass(slots=True)
class _Known:
    """A key that was looked up. `current` is the key as which it counts: itself, or the one that replaced it.
    `principal` is narrowed to the models in `groups`, the runtime's mapping."""

    key: Key
    current: Key
    caller: Caller
    principal: Principal
    groups: object


class Identity:
    """The identity of requests."""

    def __init__(self, config: GovernanceConfig, database: Database) -> None:
        self.changes = Changes(database)
        self._config = config
        self._database = database
        self._resolver = Resolver(user_budget_everywhere=config.apply_user_budget_to_team_keys)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._unknown: OrderedDict[str, None] = OrderedDict()
        self._people: OrderedDict[_Name, Caller] = OrderedDict()
        self._things: OrderedDict[tuple[str, str], Entity | None] = OrderedDict()
        self._asking = Asking()
        self._epoch = 0
        self._gateway: Gateway | None = None
        self.narrow: Narrow = lambda principal, caller: principal

    async def open(self, gateway: Gateway) -> None:
        """Begin to hear of changes."""
        self._gateway = gateway
        for kind in _KINDS:
            self.changes.on(kind, self._forget)
        for kind in ("customers", "tags"):
            self.changes.on(kind, self._forget_things)
        await self.changes.open(gateway)

    async def close(self) -> None:
        """Leave the questions that nobody waits for any more."""
        await self._asking.close()

    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        """The principal of a virtual key; `None` for what is none. Raises `RequestError(503)` when nobody can tell."""
        if ctx.credential is None:
            return None
        text = ctx.credential.reveal()
        if len(text) > credentials.LONGEST or credentials.is_token(text):
            return None
        id = credentials.key_id(text)
        known = self._known.get(id)
        if known is None or self.changes.stale(self._config.cached_keys_seconds):
            if known is None and id in self._unknown and not self.changes.stale(0):
                return None
            try:
                known = await self._look_up(id)
            except StoreUnavailable:
                raise refusals.away() from None
            if known is None:
                return None
        verifier = known.key.verifier
        verified = None if verifier is None else self._database.sealer.verifies(text, verifier)
        if verified is False:
            log.warning("a key is not the one of its verifier: was the pepper or encryption_key changed?", key=id)
            return None
        now = self._now()
        refused = refusals.of(known.key, known.caller, now, self._profile)
        if refused is None and known.current is not known.key:
            refused = refusals.of(known.current, known.caller, now, self._profile)
        if refused is not None:
            return refused
        if verified is None:
            await self._upgrade(known, text)
        ctx.keep(self, known.caller)
        if self._gateway is not None and known.groups is not self._gateway.groups:
            known.groups = self._gateway.groups
            known.principal = self.narrow(_principal(known.current, known.caller), known.caller)
        return known.principal

    async def caller(self, ctx: Context) -> Caller:
        """The caller behind `ctx.principal`, whoever authenticated it: this plugin, the core (the master key), or
        another plugin (users and services of an identity provider). Cached; kept in `ctx` for later gates.

        Raises `RequestError(503)` when the database is away.
        """
        caller = self.kept(ctx)
        if caller is None:
            caller = await self._of(ctx.principal)
            ctx.keep(self, caller)
        return caller

    def kept(self, ctx: Context) -> Caller | None:
        """The caller that an earlier gate found."""
        return ctx.kept(self, Caller)

    async def caller_of(self, request: HttpRequest) -> Caller:
        """The caller of a management route. Raises `RequestError(503)` when the database is away."""
        if request.principal is None:
            raise RequestError(401, "Authentication Error, No api key passed in.", type="auth_error")
        return await self._of(request.principal)

    async def customer(self, ctx: Context) -> Entity | None:
        """The end user that the request names, if it is known. Raises `RequestError(503)`."""
        return await self._thing("customer", entities.customers, ctx.end_user) if ctx.end_user is not None else None

    async def tags(self, ctx: Context) -> tuple[Entity, ...]:
        """The tags of the request that are known. Raises `RequestError(503)`."""
        found = [await self._thing("tag", entities.tags, tag) for tag in sorted(ctx.tags)]
        return tuple(tag for tag in found if tag is not None)

    async def _of(self, principal: Principal) -> Caller:
        if principal.id == "master" and principal.is_admin:
            return MASTER
        if principal.id == "gateway" and principal.kind == "service":
            return GATEWAY
        try:
            if credentials.is_id(principal.id):
                known = self._known.get(principal.id) or await self._look_up(principal.id)
                if known is None:
                    raise refusals.unknown()
                return known.caller
            return await self._person(principal)
        except StoreUnavailable:
            raise refusals.away() from None

    async def _person(self, principal: Principal) -> Caller:
        name = (principal.id, principal.user, principal.team, principal.organization, _roles(principal))
        found = self._people.get(name)
        if found is not None and not self.changes.stale(self._config.cached_keys_seconds):
            self._refuse_inactive(found)
            return found
        caller = await self._asking.once(("person", name, self._epoch), lambda: self._read_person(principal, name))
        self._refuse_inactive(caller)
        return caller

    async def _read_person(self, principal: Principal, name: _Name) -> Caller:
        epoch = self._epoch
        email = principal.attributes.get("email")
        async with self._database.read() as connection:
            caller = await self._resolver.of_person(
                connection,
                kind="service" if principal.kind == "service" else "user",
                user_id=principal.user,
                team_id=principal.team,
                organization_id=principal.organization,
                email=email if isinstance(email, str) else None,
                roles=_roles(principal),
                metadata={},
            )
        if epoch == self._epoch:
            _keep(self._people, name, caller, _MOST_PEOPLE)
        return caller

    def _refuse_inactive(self, caller: Caller) -> None:
        user = caller.entity("user")
        if user is not None and user.blocked:
            raise RequestError(401, f"User={user.id} is blocked or inactive.", type="auth_error")

    async def _thing(self, scope: str, repository: entities.Repository[Any], id: str) -> Entity | None:
        name = (scope, id)
        if name in self._things and not self.changes.stale(self._config.cached_keys_seconds):
            return self._things[name]
        try:
            return await self._asking.once((*name, self._epoch), lambda: self._read_thing(scope, repository, id))
        except StoreUnavailable:
            raise refusals.away() from None

    async def _read_thing(self, scope: str, repository: entities.Repository[Any], id: str) -> Entity | None:
        epoch = self._epoch
        async with self._database.read() as connection:
            value = await repository.get(connection, id)
            limits = await shared_limits(connection, value) if value is not None else None
        found = None
        if value is not None and limits is not None:
            alias = getattr(value, "alias", None)
            found = Entity(scope, id, alias, limits, value.models, value.blocked, value.settings, value.meta)
        if epoch == self._epoch:
            _keep(self._things, (scope, id), found, _MOST_PEOPLE)
        return found

    async def _look_up(self, id: str) -> _Known | None:
        return await self._asking.once(("key", id, self._epoch), lambda: self._read(id))

    async def _read(self, id: str) -> _Known | None:
        epoch = self._epoch
        async with self._database.read() as connection:
            key = await entities.keys.get(connection, id)
            current = await self._resolver.current(connection, key) if key is not None else None
            caller = await self._resolver.of_key(connection, current) if current is not None else None
        if key is None or current is None or caller is None:
            if epoch == self._epoch:
                _keep(self._unknown, id, None, _MOST_UNKNOWN)
            return None
        known = _Known(key, current, caller, _principal(current, caller), None)
        if epoch == self._epoch:
            _keep(self._known, id, known, _MOST_KEYS)
        return known

    async def _upgrade(self, known: _Known, text: str) -> None:
        """An imported key is used for the first time, or one under an older pepper: from now on it has the verifier of
        today's."""
        before, verifier = known.key.verifier, self._database.sealer.verifier(text)
        table = entities.keys.table
        same = table.c.verifier.is_(None) if before is None else table.c.verifier == before
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._database.begin() as connection:
                where = (table.c.id == known.key.id, same)
                await connection.execute(update(table).where(*where).values(verifier=verifier))
        except (StoreUnavailable, TimeoutError):
            return  # the next use tries again
        upgraded = msgspec.structs.replace(known.key, verifier=verifier)
        known.current = upgraded if known.current is known.key else known.current
        known.key = upgraded

    async def _forget(self, _id: str) -> None:
        self._epoch += 1
        self._known.clear()
        self._unknown.clear()
        self._people.clear()
        self._things.clear()

    async def _forget_things(self, _id: str) -> None:
        self._epoch += 1
        self._things.clear()

    @property
    def _profile(self) -> str:
        return self._gateway.litellm_profile if self._gateway is not None else ""

    def _now(self) -> int:
        return self._database.now()


def _principal(key: Key, caller: Caller) -> Principal:
    aliases: dict[str, str] = {}
    for scope in ("team", "key"):
        entity = caller.entity(scope)
        written = entity.settings.get("aliases") or entity.settings.get("model_aliases") if entity is not None else None
        if isinstance(written, dict):
            aliases |= {name: target for name, target in written.items() if isinstance(target, str)}
    tags: set[str] = set()
    for entity in caller.entities:
        for written in (entity.settings.get("tags"), entity.metadata.get("tags")):
            if isinstance(written, list | tuple) and entity.scope in ("key", "team"):
                tags |= {tag for tag in written if isinstance(tag, str)}
    attributes: dict[str, Any] = {"metadata": dict(caller.metadata)}
    for scope, name in (("team", "team_alias"), ("organization", "organization_alias")):
        named = caller.entity(scope)
        if named is not None and named.alias:
            attributes[name] = named.alias
    team = caller.entity("team")
    if team is not None and team.metadata:
        attributes["team_metadata"] = dict(team.metadata)
    if caller.email:
        attributes["user_email"] = caller.email
    region = next((each.settings.get(_REGION) for each in caller.entities if each.settings.get(_REGION)), None)
    if region is not None:
        attributes[_REGION] = region
    return Principal(
        key.id,
        kind="admin" if caller.is_admin else caller.kind,
        alias=key.alias,
        user=caller.user,
        team=caller.team,
        organization=caller.organization,
        tags=frozenset(tags),
        aliases=aliases,
        attributes=attributes,
    )


def _roles(principal: Principal) -> frozenset[str]:
    written = principal.attributes.get("roles")
    return (
        frozenset(str(role) for role in written) if isinstance(written, list | tuple | set | frozenset) else frozenset()
    )


def _keep(kept: OrderedDict[Any, Any], name: Any, value: Any, most: int) -> None:
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > most:
        kept.popitem(last=False)

"""What is kept in memory about callers: the snapshot in force, and each caller's standing under it.

Nothing outlives the version it was made under: a swap drops it all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.access.models import Allowed, lists_of
from routeiq_governance.access.permission import Permission, permissions_of
from routeiq_governance.access.places import Places
from routeiq_governance.access.routes import RouteScope, scope_of
from routeiq_governance.access.rules import Rules
from routeiq_governance.access.snapshot import Snapshot, load
from routeiq_governance.access.standing import MASTER, Membership, Standing, is_scoped, own_grants, standing_of
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.database import Database

_MOST_CALLERS = 20_000
_MOST_USERS = 20_000


@dataclass(slots=True)
class Known:
    """One caller under one snapshot. `decisions` are of the gate: action to whether some role allows it."""

    caller: Caller
    snapshot: Snapshot
    permissions: tuple[Permission, ...]
    everywhere: tuple[Permission, ...]
    scope: RouteScope | None
    models: tuple[Allowed, ...]
    decisions: dict[str, bool] = field(default_factory=dict)
    standing: Standing | None = None

    def may(self, action: str) -> bool:
        """Whether what the caller carries itself opens the gate of a route with this action."""
        known = self.decisions.get(action)
        if known is None:
            held = self.permissions if is_scoped(action) else self.everywhere
            known = self.decisions[action] = any(each.allows(action) for each in held)
        return known


class Callers:
    """Callers by identity: who resolves one caller once and keeps it finds it here again."""

    def __init__(self, database: Database, places: Places, rules: Rules) -> None:
        self._database = database
        self._places = places
        self._rules = rules
        self._known: OrderedDict[int, Known] = OrderedDict()
        self._memberships: dict[str, tuple[Membership, ...]] = {}
        self._epoch = 0
        self._loading = asyncio.Lock()
        self.snapshot = Snapshot()

    async def load(self) -> None:
        """Read roles and bindings and swap to them. Raises `StoreUnavailable`; the old snapshot then stays."""
        async with self._loading:  # a reader that began before a change must not win over one that began after it
            self.swap(await load(self._database, self.snapshot.version + 1))

    def swap(self, snapshot: Snapshot) -> None:
        """Put another snapshot in force; nothing that was decided under the old one is used again."""
        self.snapshot = snapshot
        self._known = OrderedDict()

    def forget_memberships(self) -> None:
        """Members or teams changed."""
        self._epoch += 1
        self._memberships = {}
        self._known = OrderedDict()

    def of(self, caller: Caller) -> Known:
        """What is known of a caller, without asking the database."""
        known = self._known.get(id(caller))
        if known is not None and known.caller is caller and known.snapshot is self.snapshot:
            return known
        key = caller.entity("key")
        grants = own_grants(caller, self.snapshot)
        made = Known(
            caller,
            self.snapshot,
            permissions_of(grants),
            permissions_of(each for each in grants if each.scope == "global"),
            scope_of(key.settings) if key is not None else None,
            lists_of(caller, self.snapshot.access_groups, self._rules.role_models(caller)),
        )
        self._known[id(caller)] = made
        if len(self._known) > _MOST_CALLERS:
            self._known.popitem(last=False)
        return made

    async def standing(self, caller: Caller, within: AsyncConnection | None = None) -> Standing:
        """The whole standing of a caller, by what is in force when it returns. Raises `StoreUnavailable`."""
        while True:
            known, epoch = self.of(caller), self._epoch
            if known.standing is not None and within is None:
                return known.standing
            memberships: tuple[Membership, ...] = ()
            if caller.user is not None and caller.kind != MASTER:
                memberships = await self._of_user(caller.user, within)
            standing = standing_of(caller, known.snapshot, memberships)
            if within is not None:
                return standing  # of a transaction that is not committed: not for anybody else
            if epoch == self._epoch and known.snapshot is self.snapshot:
                known.standing = standing
                return standing

    async def _of_user(self, user: str, within: AsyncConnection | None) -> tuple[Membership, ...]:
        if within is not None:
            return await self._places.memberships(user, within)
        found = self._memberships.get(user)
        if found is None:
            epoch = self._epoch
            found = await self._places.memberships(user)
            if epoch == self._epoch:
                if len(self._memberships) >= _MOST_USERS:
                    self._memberships.clear()
                self._memberships[user] = found
        return found

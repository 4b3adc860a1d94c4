"""Access over a real embedded database, with two tenants in it, and callers as identity resolves them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from routeiq_governance.access.gate import Access
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Caller
from routeiq_governance.identity.gate import Identity
from routeiq_governance.store import entities
from routeiq_governance.store.database import Database
from routeiq_governance.store.entities import Key, Member, Organization, Team, User
from routeiq_governance.store.tables import access_groups, bindings, roles
from routeiq_sdk import Context, ModelGroup, Principal
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.values.http import Headers, HttpRequest
from routeiq_testkit.governance_tables import lay_tables

ACME = {
    "olga": ("internal_user", "org_admin", None),
    "tess": ("internal_user", "internal_user", "admin"),
    "uma": ("internal_user", "internal_user", "user"),
    "vic": ("internal_user_viewer", "internal_user", None),
}
"""Users of `acme`: role, role in the organization, role in the team `blue`. Each has a personal key and one of the team
if it is in it."""


def hashed(name: str) -> str:
    """The id of the key that is called so."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass(slots=True)
class World:
    """Organizations `acme` (users as above, team `blue`) and `rival` (org admin `rolf`, team `red` with `rita`), and
    outside both: `ann` (proxy_admin), `ina` (internal_user), the key `bare` of nobody, the key `robot` of team blue."""

    gateway: FakeGateway
    database: Database
    identity: Identity
    access: Access

    async def caller(self, key: str) -> Caller:
        """The caller with the key that is called so; `master` is the master key."""
        if key == "master":
            return await self._of(Principal("master", kind="admin"))
        return await self._of(Principal(hashed(key)))

    async def person(self, user: str, *, roles: Sequence[str] = (), **fields: Any) -> Caller:
        """The caller that an identity provider signed in."""
        attributes = {"roles": list(roles)}
        return await self._of(Principal(f"oidc:{user}", kind="user", user=user, attributes=attributes, **fields))

    async def _of(self, principal: Principal) -> Caller:
        request = HttpRequest("GET", "/", {}, {}, Headers([]), b"", principal)
        return await self.identity.caller_of(request)

    async def add(self, *values: Any) -> None:
        """Insert entities."""
        async with self.database.begin() as connection:
            for value in values:
                await _REPOSITORIES[type(value)].insert(connection, value)
        for value in values:
            await self.identity.changes.announce(_REPOSITORIES[type(value)].table.name.removeprefix("routeiq_"))

    async def save(self, value: Any) -> None:
        """Replace an entity."""
        repository = _REPOSITORIES[type(value)]
        async with self.database.begin() as connection:
            await repository.save(connection, value)
        await self.identity.changes.announce(repository.table.name.removeprefix("routeiq_"))

    async def bind(self, principal: str, role: str, scope: str, scope_id: str = "") -> None:
        """Insert a binding."""
        row = {"id": f"{principal}-{role}-{scope}-{scope_id}", "principal": principal, "role": role, **_TRAIL}
        async with self.database.begin() as connection:
            await connection.execute(bindings.insert().values({**row, "scope": scope, "scope_id": scope_id}))
        await self.identity.changes.announce("bindings")

    async def role(self, id: str, actions: Sequence[str], organization: str | None = None) -> None:
        """Insert a custom role."""
        row = {"id": id, "name": id, "actions": list(actions), "organization_id": organization, **_TRAIL}
        async with self.database.begin() as connection:
            await connection.execute(roles.insert().values(row))
        await self.identity.changes.announce("roles")

    async def group(self, id: str, *models: str) -> None:
        """Insert an access group."""
        async with self.database.begin() as connection:
            await connection.execute(
                access_groups.insert().values({"id": id, "models": list(models), "settings": {}, **_TRAIL})
            )
        await self.identity.changes.announce("access_groups")

    def context(
        self, key: str, action: str = "chat:create", path: str = "/v1/chat/completions", **fields: Any
    ) -> Context:
        """The context of a request with that key."""
        principal = Principal("master", kind="admin") if key == "master" else Principal(hashed(key))
        ctx = make_context(principal=principal, route=path, **fields)
        ctx.action = action
        return ctx


_REPOSITORIES: Mapping[type, entities.Repository[Any]] = {
    Key: entities.keys,
    Team: entities.teams,
    User: entities.users,
    Organization: entities.organizations,
    Member: entities.members,
    entities.Customer: entities.customers,
}
_TRAIL = {"created_at": 1, "updated_at": 1, "created_by": "test", "updated_by": "test"}


def key(name: str, **fields: Any) -> Key:
    """A key that is called so."""
    return Key(id=hashed(name), **fields)


@asynccontextmanager
async def world(*, groups: Sequence[ModelGroup] = (), profile: str = "1.109", **config: Any) -> AsyncIterator[World]:
    """The world, open; `config` is governance's own."""
    parsed = GovernanceConfig.model_validate(config)
    gateway = FakeGateway("governance", groups=groups)
    gateway.litellm_profile = profile
    database = Database(parsed)
    identity = Identity(parsed, database)
    access = Access(parsed, database, identity)
    try:
        lay_tables(gateway.data_dir)
        await database.open(gateway)
        await identity.open(gateway)
        await access.open(gateway)
        made = World(gateway, database, identity, access)
        await _people(made)
        yield made
    finally:
        await access.close()
        await identity.close()
        await gateway.aclose()
        await database.close()


async def _people(made: World) -> None:
    await made.add(
        Organization(id="acme"),
        Organization(id="rival"),
        Team(id="blue", organization_id="acme"),
        Team(id="red", organization_id="rival"),
        Team(id="free"),
        User(id="ann", role="proxy_admin"),
        User(id="ina", role="internal_user"),
        User(id="rolf", role="internal_user", organization_id="rival"),
        User(id="rita", role="internal_user", organization_id="rival"),
        Member(scope="organization", scope_id="rival", user_id="rolf", role="org_admin"),
        Member(scope="organization", scope_id="rival", user_id="rita", role="internal_user"),
        Member(scope="team", scope_id="red", user_id="rita", role="user"),
        *(key(user, user_id=user) for user in ("ann", "ina", "rolf", "rita")),
        key("ann-blue", user_id="ann", team_id="blue"),
        key("rita-red", user_id="rita", team_id="red"),
        key("bare"),
        key("robot", team_id="blue", service_account=True),
    )
    for user, (role, of_organization, of_team) in ACME.items():
        await made.add(
            User(id=user, role=role, organization_id="acme"),
            Member(scope="organization", scope_id="acme", user_id=user, role=of_organization),
            key(user, user_id=user),
        )
        if of_team is not None:
            await made.add(
                Member(scope="team", scope_id="blue", user_id=user, role=of_team),
                key(f"{user}-blue", user_id=user, team_id="blue"),
            )

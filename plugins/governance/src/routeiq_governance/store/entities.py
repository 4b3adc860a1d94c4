"""The entities of governance as typed values, and one small repository that reads and writes any of them.

What may be changed by whom, and what a change means, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.identity.limits import Limits
from routeiq_governance.store import tables


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What every row has. Times are Unix ns; `created_by` and `updated_by` name a user or a key."""

    created_at: int = 0
    updated_at: int = 0
    created_by: str | None = None
    updated_by: str | None = None


class Bounded(Stored, frozen=True, kw_only=True):
    """An entity with limits. `settings` is what LiteLLM's API keeps beside, `meta` the caller's own metadata,
    `spend_base` nano-USD that count as spent beside the ledger's, `version` rises with each change."""

    id: str
    blocked: bool = False
    budget_id: str | None = None
    models: tuple[str, ...] = ()
    limits: Limits = msgspec.field(default_factory=Limits)
    settings: Mapping[str, Any] = {}
    meta: Mapping[str, Any] = {}
    spend_base: int = 0
    version: int = 1


class Organization(Bounded, frozen=True, kw_only=True):
    alias: str | None = None


class Team(Bounded, frozen=True, kw_only=True):
    alias: str | None = None
    external_id: str | None = None
    organization_id: str | None = None


class User(Bounded, frozen=True, kw_only=True):
    """A person. `role` is LiteLLM's (`internal_user`, ...)."""

    email: str | None = None
    alias: str | None = None
    external_id: str | None = None
    organization_id: str | None = None
    role: str | None = None
    active: bool = True


class Key(Bounded, frozen=True, kw_only=True):
    """A virtual key: `id` is the SHA-256 (hex) of the whole key, `verifier` its HMAC under the pepper (`None` when it
    was imported and not used yet), `name` its masked tail, `replaces` the id of the key whose rotation made it."""

    verifier: str | None = None
    name: str | None = None
    alias: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    service_account: bool = False
    expires_at: int | None = None
    replaces: str | None = None


class Customer(Bounded, frozen=True, kw_only=True):
    """An end user of a caller's."""

    alias: str | None = None


class Tag(Bounded, frozen=True, kw_only=True):
    description: str | None = None


class Budget(Stored, frozen=True, kw_only=True):
    """Limits that several entities share by name."""

    id: str
    limits: Limits = msgspec.field(default_factory=Limits)
    settings: Mapping[str, Any] = {}
    version: int = 1


class Member(Stored, frozen=True, kw_only=True):
    """A user in a `team` or an `organization`; `role` is `admin`, `user` or LiteLLM's role in an organization."""

    scope: str
    scope_id: str
    user_id: str
    role: str
    budget_id: str | None = None
    limits: Limits = msgspec.field(default_factory=Limits)


T = TypeVar("T", bound=Stored)
_NULL_LISTS = {"models": ()}


class Repository(Generic[T]):
    """Rows of one table as values of one type. Every method works in the caller's transaction."""

    def __init__(self, table: Table, kind: type[T]) -> None:
        self.table = table
        self._kind = kind
        self._key = tuple(table.primary_key.columns)

    async def get(self, connection: AsyncConnection, *id: str) -> T | None:
        """One by its key (an id; of a member scope, scope id and user id)."""
        found = await self.find(connection, *self._is(id), most=1)
        return found[0] if found else None

    async def many(self, connection: AsyncConnection, ids: Sequence[str]) -> dict[str, T]:
        """Several by id; missing ones are left out."""
        found: dict[str, T] = {}
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            for value in await self.find(connection, self._key[0].in_(part), most=len(part)):
                found[getattr(value, self._key[0].name)] = value
        return found

    async def find(
        self,
        connection: AsyncConnection,
        *where: ColumnElement[bool],
        after: Sequence[str] | None = None,
        most: int | None = None,
        skip: int = 0,
        order: Sequence[ColumnElement[Any]] = (),
    ) -> list[T]:
        """Those that match, in the order of their keys (or `order`); `after` is the key of the last one of the page
        before."""
        statement = select(self.table)
        if where:
            statement = statement.where(and_(*where))
        if after is not None:
            statement = statement.where(tuple_(*self._key) > tuple_(*after))
        statement = statement.order_by(*order, *self._key).offset(skip or None).limit(most)
        rows = (await connection.execute(statement)).mappings().all()
        return [self._value(row) for row in rows]

    async def count(self, connection: AsyncConnection, *where: ColumnElement[bool]) -> int:
        """How many match."""
        statement = select(func.count()).select_from(self.table)
        if where:
            statement = statement.where(and_(*where))
        return int((await connection.execute(statement)).scalar_one())

    async def insert(self, connection: AsyncConnection, value: T) -> None:
        """Add one. Raises SQLAlchemy's `IntegrityError` when its key is taken."""
        await connection.execute(insert(self.table).values(self._row(value)))

    async def save(self, connection: AsyncConnection, value: T) -> bool:
        """Write one that exists; says whether it did."""
        row = self._row(value)
        if "version" in row:
            row["version"] = self.table.c.version + 1
        id = [str(getattr(value, column.name)) for column in self._key]
        done = await connection.execute(update(self.table).where(*self._is(id)).values(row))
        return bool(done.rowcount)

    async def delete(self, connection: AsyncConnection, *where: ColumnElement[bool]) -> int:
        """Delete those that match; how many there were."""
        done = await connection.execute(delete(self.table).where(and_(*where)))
        return int(done.rowcount)

    def _is(self, id: Sequence[str]) -> list[ColumnElement[bool]]:
        return [column == part for column, part in zip(self._key, id, strict=True)]

    def _value(self, row: Mapping[Any, Any]) -> T:
        known = {field: row[field] for field in self._kind.__struct_fields__}
        return msgspec.convert({k: _NULL_LISTS.get(k, v) if v is None else v for k, v in known.items()}, self._kind)

    def _row(self, value: T) -> dict[str, Any]:
        return {field: msgspec.to_builtins(getattr(value, field)) for field in self._kind.__struct_fields__}


organizations = Repository(tables.organizations, Organization)
teams = Repository(tables.teams, Team)
users = Repository(tables.users, User)
keys = Repository(tables.keys, Key)
customers = Repository(tables.customers, Customer)
tags = Repository(tables.tags, Tag)
budgets = Repository(tables.budgets, Budget)
members = Repository(tables.members, Member)

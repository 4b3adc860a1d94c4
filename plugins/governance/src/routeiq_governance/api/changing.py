"""One change of the database on behalf of a management request: a transaction, after which stale caches are dropped in
all workers.

What is changed is the business of each resource's module.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Repository, Stored
from routeiq_sdk import RequestError
from routeiq_sdk.events import UserV1
from routeiq_sdk.events.contract import moment

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

T = TypeVar("T", bound=Stored)


@dataclass(slots=True)
class Change:
    """A transaction under way. `now` is Unix ns, `by` who changes, for the trail."""

    connection: AsyncConnection
    now: int
    by: str
    touched: dict[tuple[str, str], None] = field(default_factory=dict)
    shut_out: list[tuple[Literal["blocked", "deleted"], str]] = field(default_factory=list)
    """Users of whom sinks are told once this is committed."""

    def touch(self, kind: str, *ids: str) -> None:
        """Say that what is cached about things of a kind (the name of a table: `teams`, `keys`, ...) is stale once this
        is committed."""
        for id in ids:
            self.touched[(kind, id)] = None

    async def held(self, repository: Repository[T], *id: str) -> T | None:
        """One entity, locked until this is committed, so that two changes of it follow one another."""
        columns = repository.table.primary_key.columns
        where = [column == part for column, part in zip(columns, id, strict=True)]
        await self.connection.execute(select(*columns).where(*where).with_for_update())
        return await repository.get(self.connection, *id)


@asynccontextmanager
async def changing(parts: Parts, caller: Caller) -> AsyncIterator[Change]:
    """A change; nothing of it stays when the block raises. Raises `StoreUnavailable`, and `RequestError(409)` when
    another request made the same thing in the meantime."""
    try:
        async with parts.database.begin() as connection:
            change = Change(connection, parts.database.now(), named(caller))
            yield change
            for kind in dict.fromkeys(kind for kind, _ in change.touched):
                await parts.database.touch(connection, kind)
    except IntegrityError:
        message = "another request made the same thing at the same time; look again and repeat"
        raise RequestError(409, message, type="conflict", code="409") from None
    for kind, id in change.touched:
        await parts.identity.changes.announce(kind, id)
    for what, id in change.shut_out:
        _tell(parts, change, what, id)


def _tell(parts: Parts, change: Change, what: Literal["blocked", "deleted"], user: str) -> None:
    if parts.gateway is None:
        return
    id, at = f"user-{uuid.uuid4().hex}", moment(change.now)
    event = UserV1(event_id=id, timestamp_utc=at, what=what, user=user, by=change.by)
    parts.gateway.emit(event.event(change.now))


def named(caller: Caller) -> str:
    """Who changed something, for `created_by` and `updated_by`."""
    return caller.user or caller.key_id or "default_user_id"

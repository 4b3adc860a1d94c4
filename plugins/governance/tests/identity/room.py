"""Identity over a real database, without a gateway: what a bearer of a key is told, and what reaches the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity import credentials
from routeiq_governance.identity.gate import Identity
from routeiq_governance.store import entities
from routeiq_governance.store.database import Database
from routeiq_governance.store.entities import Key
from routeiq_sdk import Context, Principal, Reject, Secret
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.values.http import Headers
from routeiq_testkit.governance_tables import lay_tables


@dataclass(slots=True)
class Room:
    """One worker: its caches and its connection. `statements` are those of SQL that were run, with their values."""

    gateway: FakeGateway
    database: Database
    identity: Identity
    statements: list[tuple[str, Any]] = field(default_factory=list)

    async def present(self, credential: str) -> Principal | Reject | None:
        """What a request with this credential is told."""
        return await self.identity.authenticate(_context(credential))

    async def add(self, secret: str, **fields: Any) -> Key:
        """A key of this text, known to the database alone."""
        made = {"verifier": self.database.sealer.verifier(secret), "name": credentials.masked(secret), **fields}
        key = Key(id=credentials.key_id(secret), **made)
        async with self.database.begin() as connection:
            await entities.keys.insert(connection, key)
        return key

    async def stored(self, secret: str) -> Key:
        """The key as it is in the database."""
        async with self.database.read() as connection:
            key = await entities.keys.get(connection, credentials.key_id(secret))
        assert key is not None
        return key

    async def write(self, value: Any) -> None:
        """Write an entity as a management route does: touched in the transaction, announced after it."""
        kind = f"{type(value).__name__.lower()}s"
        repository = getattr(entities, kind)
        async with self.database.begin() as connection:
            if not await repository.save(connection, value):
                await repository.insert(connection, value)
            await self.database.touch(connection, kind)
        await self.identity.changes.announce(kind, value.id)


@asynccontextmanager
async def open_room(gateway: FakeGateway | None = None, config: Mapping[str, Any] | None = None) -> AsyncIterator[Room]:
    """A room over the embedded database of `gateway`, or over the one that `config` names."""
    gateway = gateway or FakeGateway()
    settings = GovernanceConfig.model_validate(config or {})
    database = Database(settings)
    identity = Identity(settings, database)
    lay_tables(gateway.data_dir)
    await database.open(gateway)
    room = Room(gateway, database, identity)

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def noted(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        room.statements.append((statement, values))

    try:
        await identity.open(gateway)
        room.statements.clear()
        yield room
    finally:
        await identity.close()
        await database.close()
        await gateway.aclose()


def _context(credential: str) -> Context:
    return Context(
        request_id="r",
        surface="openai",
        route="/v1/chat/completions",
        method="POST",
        path="/v1/chat/completions",
        headers=Headers([]),
        client=None,
        config="test",
        action="chat:create",
        credential=Secret(credential),
    )

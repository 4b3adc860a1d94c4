"""Rows of the vault: sealed on their way in, opened on their way out, written only over the version that was read.

When tokens are refreshed or revoked is decided beside this.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from routeiq_oauth.vault.database import Database
from routeiq_oauth.vault.grant import Client, Grant, Owner
from routeiq_oauth.vault.keyring import Keyring, Unsealable
from routeiq_oauth.vault.tables import clients, tokens
from routeiq_sdk.gateway import Clock


@dataclass(frozen=True, slots=True)
class Kept:
    """A row: whose, for what, in which version. `grant` is `None` when none of our keys opens it."""

    owner: Owner
    upstream: str
    issuer: str
    version: int
    grant: Grant | None
    created_at: int = 0
    updated_at: int = 0


class Store:
    """The rows of all users. Raises `StoreUnavailable` when the database is away."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock

    async def find(self, owner: Owner, upstream: str) -> Kept | None:
        """The newest row of a user for an upstream."""
        where = (tokens.c.tenant == owner.tenant, tokens.c.user == owner.user, tokens.c.upstream == upstream)
        async with self._database.read() as connection:
            query = select(tokens).where(*where).order_by(tokens.c.updated_at.desc()).limit(1)
            row = (await connection.execute(query)).first()
        return self._opened(row) if row is not None else None

    async def of_user(self, user: str) -> Sequence[Kept]:
        """All rows of a user, whatever the tenant."""
        return await self._all(tokens.c.user == user)

    async def of_upstream(self, upstream: str) -> Sequence[Kept]:
        """All rows for an upstream."""
        return await self._all(tokens.c.upstream == upstream)

    async def ending(self, before: int, most: int = 100) -> Sequence[Kept]:
        """Rows whose access token ends before this Unix second, the first to end first."""
        async with self._database.read() as connection:
            query = select(tokens).where(tokens.c.expires_at < before).order_by(tokens.c.expires_at).limit(most)
            rows = (await connection.execute(query)).all()
        return [self._opened(row) for row in rows]

    async def add(self, owner: Owner, upstream: str, grant: Grant) -> Sequence[Kept]:
        """Keep a grant that a user just gave, instead of all earlier ones; returns what it took the place of."""
        key = {"tenant": owner.tenant, "user": owner.user, "upstream": upstream}
        where = (tokens.c.tenant == owner.tenant, tokens.c.user == owner.user, tokens.c.upstream == upstream)
        while True:
            try:
                async with self._database.begin() as connection:
                    rows = (await connection.execute(select(tokens).where(*where).with_for_update())).all()
                    await connection.execute(delete(tokens).where(*where))
                    values = {**key, "issuer": grant.issuer, "created_at": self._clock.now_ns()}
                    await connection.execute(insert(tokens).values(**values, **self._written(owner, upstream, grant)))
                return [self._opened(row) for row in rows]
            except IntegrityError:
                continue  # somebody else's first row came between: look again

    async def replace(self, kept: Kept, grant: Grant) -> bool:
        """Write over a row, if it still is the version that was read."""
        where = (*_this(kept), tokens.c.version == kept.version)
        written = self._written(kept.owner, kept.upstream, grant)
        async with self._database.begin() as connection:
            done = await connection.execute(update(tokens).where(*where).values(**written))
            return done.rowcount == 1

    async def remove(self, kept: Kept, *, any_version: bool = False) -> bool:
        """Delete a row, if it still is the version that was read (or whatever it is)."""
        where = _this(kept) if any_version else (*_this(kept), tokens.c.version == kept.version)
        async with self._database.begin() as connection:
            return (await connection.execute(delete(tokens).where(*where))).rowcount == 1

    async def client(self, issuer: str, redirect_uri: str) -> Client | None:
        """The client that was registered at an issuer."""
        where = (clients.c.issuer == issuer, clients.c.redirect_uri == redirect_uri)
        async with self._database.read() as connection:
            sealed = (await connection.execute(select(clients.c.sealed).where(*where))).scalar()
        if sealed is None:
            return None
        try:
            raw = self._keyring.open(bytes(sealed), "client", issuer, redirect_uri)
        except Unsealable:
            return None
        return Client.unpacked(json.loads(raw))

    async def keep_client(self, issuer: str, redirect_uri: str, client: Client | None) -> None:
        """Remember a registered client, or forget it."""
        where = (clients.c.issuer == issuer, clients.c.redirect_uri == redirect_uri)
        async with self._database.begin() as connection:
            await connection.execute(delete(clients).where(*where))
            if client is not None:
                raw = json.dumps(client.packed()).encode()
                sealed = self._keyring.seal(raw, "client", issuer, redirect_uri)
                values = {"issuer": issuer, "redirect_uri": redirect_uri, "sealed": sealed}
                await connection.execute(insert(clients).values(**values, updated_at=self._clock.now_ns()))

    async def reseal(self) -> int:
        """Seal with the newest key whatever an older one sealed; returns how many rows."""
        done = 0
        async with self._database.read() as connection:
            rows = (await connection.execute(select(tokens))).all()
        for row in rows:
            if self._keyring.is_old(bytes(row.sealed)):
                kept = self._opened(row)
                if kept.grant is not None:
                    done += await self.replace(kept, kept.grant)
        return done

    async def _all(self, where: ColumnElement[bool]) -> Sequence[Kept]:
        async with self._database.read() as connection:
            query = select(tokens).where(where)
            rows = (await connection.execute(query.order_by(tokens.c.upstream, tokens.c.tenant))).all()
        return [self._opened(row) for row in rows]

    def _written(self, owner: Owner, upstream: str, grant: Grant) -> dict[str, object]:
        place = ("token", owner.tenant, owner.user, upstream, grant.issuer)
        return {
            "version": secrets.randbits(62),
            "sealed": self._keyring.seal(grant.packed(), *place),
            "expires_at": grant.expires_at if grant.refresh is not None and not grant.stale else None,
            "updated_at": self._clock.now_ns(),
        }

    def _opened(self, row: Row[tuple[object, ...]]) -> Kept:
        owner = Owner(row.tenant, row.user)
        place = ("token", row.tenant, row.user, row.upstream, row.issuer)
        try:
            grant = Grant.unpacked(self._keyring.open(bytes(row.sealed), *place))
        except Unsealable:
            grant = None
        return Kept(owner, row.upstream, row.issuer, row.version, grant, row.created_at, row.updated_at)


def _this(kept: Kept) -> tuple[ColumnElement[bool], ...]:
    return (
        tokens.c.tenant == kept.owner.tenant,
        tokens.c.user == kept.owner.user,
        tokens.c.upstream == kept.upstream,
        tokens.c.issuer == kept.issuer,
    )

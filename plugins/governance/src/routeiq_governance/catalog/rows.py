"""Models that are added while the gateway runs, as rows of `model_list`: read for each runtime, looked at before a
change is kept, served after it.

Who may make a change is decided by the handlers; what a row may say in `checking`, and by the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.catalog.stored import AddedModel, Credentials, Models
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.changes import Changes
from routeiq_governance.store.database import Database
from routeiq_governance.store.secrets import Unsealable
from routeiq_governance.store.tables import changes as versions
from routeiq_governance.store.tables import credentials as credential_table
from routeiq_governance.store.tables import models as model_table
from routeiq_sdk import ConfigError, Gateway, ModelGroup, PluginError, RequestError, StoreUnavailable

log = structlog.get_logger("routeiq.governance.catalog")

KINDS = ("models", "credentials")
_SERVED_SECONDS = 60.0
_LOOK_SECONDS = 0.02


class AddedModels:
    """The added rows, and what happens when they change."""

    def __init__(self, config: GovernanceConfig, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes
        self._gateway: Gateway | None = None
        self._serving = asyncio.Lock()
        self._rows: tuple[Mapping[str, Any], ...] | None = None
        self._version = 0
        self._before: object = None

    async def open(self, gateway: Gateway) -> None:
        """Begin to hear of changes."""
        self._gateway = gateway
        for kind in KINDS:
            self._changes.on(kind, self._heard)

    async def close(self) -> None:
        """Nothing to give back."""

    @property
    def models(self) -> Models:
        """The rows in the database."""
        return Models(self._database.sealer)

    @property
    def credentials(self) -> Credentials:
        """The credentials in the database."""
        return Credentials(self._database.sealer)

    def served(self) -> Mapping[str, ModelGroup]:
        """The model groups that this process serves now."""
        return self._opened.groups

    async def rows(self) -> Sequence[Mapping[str, Any]]:
        """All rows, secrets opened; one that cannot be opened is left out, loudly. While the database is away, those
        that were read last. Raises `StoreUnavailable` when there are none.

        At the start of the gateway, so is one that could not be served: it would keep the whole gateway from starting,
        and without it nobody could delete the row. A reload is refused instead, since the old models serve on.
        """
        try:
            async with self._database.read() as connection:
                version = await _version(connection)
                rows = await self._read(connection)
        except StoreUnavailable:
            if self._rows is None:
                raise
            log.warning("the database is away: added models stay as they were")
            return self._rows
        if self._rows is None:
            rows = self._usable(rows)
            self._before = self._opened.groups if rows else None  # without rows the first runtime serves as it is
        else:
            self._before = self._opened.groups
        self._rows, self._version = tuple(rows), version
        return self._rows

    async def check(self, connection: AsyncConnection) -> None:
        """Whether the gateway could serve all rows as this transaction sees them. Raises `RequestError(400)`, upon
        which nothing of the transaction should stay."""
        try:
            self._opened.check_rows(await self._read(connection))
        except ConfigError as error:
            raise RequestError(400, f"The gateway cannot serve this: {error}", code="400") from None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Around a change: once it is committed, it is served here and in all workers; leaving it, this one does."""
        async with self._serving:
            yield
            async with self._database.read() as connection:
                version = await _version(connection)
            try:
                if self._version < version:
                    await self._opened.reload()
                async with asyncio.timeout(_SERVED_SECONDS):
                    while True:
                        if self._version >= version and self._opened.groups is not self._before:
                            break
                        await asyncio.sleep(_LOOK_SECONDS)
            except TimeoutError:
                log.warning("a change of models is kept, and served later than its answer")
            except (ConfigError, PluginError) as error:
                log.error("a change of models is kept and not served", reason=str(error))
                message = "The change is kept, but not served yet: the log of the gateway says why."
                raise RequestError(503, message, type="internal_server_error", headers={"retry-after": "1"}) from None

    @property
    def _opened(self) -> Gateway:
        if self._gateway is None:
            raise LookupError("the added models are not open")
        return self._gateway

    async def _heard(self, _id: str) -> None:
        """Something was changed elsewhere: of several workers of a gateway the first has it served by all."""
        if self._opened.worker != 0 or self._serving.locked():
            return
        async with self._database.read() as connection:
            version = await _version(connection)
        if version == self._version:
            return
        try:
            await self._opened.reload()
        except (ConfigError, PluginError) as error:
            log.error("models that were changed elsewhere are not served here", reason=str(error))

    def _usable(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        try:
            self._opened.check_rows(rows)
        except ConfigError:
            return [row for row in rows if self._is_usable(row)]
        return list(rows)

    def _is_usable(self, row: Mapping[str, Any]) -> bool:
        try:
            self._opened.check_rows([row])
        except ConfigError as error:
            log.error("an added model is left out: it cannot be served", model=row["model_name"], reason=str(error))
            return False
        return True

    async def _read(self, connection: AsyncConnection) -> list[Mapping[str, Any]]:
        opened: dict[str, Mapping[str, Any]] = {}
        for row in (await connection.execute(select(credential_table))).mappings():
            try:
                opened[row["id"]] = self.credentials.opened(row).values
            except Unsealable as error:
                log.error("a credential is left out", credential=row["id"], reason=str(error))
        found: list[Mapping[str, Any]] = []
        statement = select(model_table).order_by(model_table.c.name, model_table.c.id)
        for row in (await connection.execute(statement.where(model_table.c.blocked.is_(False)))).mappings():
            try:
                found.append(served_row(self.models.opened(row), opened))
            except Unsealable as error:
                log.error("an added model is left out", model=row["name"], id=row["id"], reason=str(error))
        return found


def served_row(model: AddedModel, credentials: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The row as the gateway takes it: a credential of the database is filled in, one of the YAML is left to it."""
    row = model.as_row()
    named = row["litellm_params"].get("litellm_credential_name")
    if named in credentials:
        own = {name: value for name, value in row["litellm_params"].items() if name != "litellm_credential_name"}
        row["litellm_params"] = {**credentials[named], **own}
    return row


async def _version(connection: AsyncConnection) -> int:
    """The number of changes so far."""
    statement = select(versions.c.version).where(versions.c.table.in_(KINDS))
    return sum((await connection.execute(statement)).scalars())

"""Models that are added while the gateway runs: sealed rows of the database as rows of `model_list`.

Who may add one is decided by the routes; what a row may say by the gateway's configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.changes import Changes
from routeiq_governance.store.database import Database
from routeiq_governance.store.secrets import Unsealable
from routeiq_governance.store.tables import credentials, models
from routeiq_sdk import ConfigError, Gateway, PluginError

log = structlog.get_logger("routeiq.governance.models")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Added:
    """One added model: `row` is as it would stand in `model_list`."""

    id: str
    name: str
    team_id: str | None
    blocked: bool
    row: Row
    created_at: int
    updated_at: int
    created_by: str | None
    updated_by: str | None


class AddedModels:
    """The added rows, and what happens when they change."""

    def __init__(self, config: GovernanceConfig, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes
        self._gateway: Gateway | None = None

    async def open(self, gateway: Gateway) -> None:
        """Begin to hear of changes."""
        self._gateway = gateway
        for kind in ("models", "credentials"):
            self._changes.on(kind, self._reload)

    async def close(self) -> None:
        """Nothing to give back."""

    async def rows(self) -> Sequence[Row]:
        """All rows that are served, secrets opened. One that cannot be opened is left out, loudly."""
        async with self._database.read() as connection:
            return await self.rows_in(connection)

    async def rows_in(self, connection: AsyncConnection) -> list[Row]:
        """The same, as a transaction sees it."""
        opened = await self._credentials(connection)
        found = []
        for added in await self.all(connection):
            if not added.blocked:
                found.append(_filled(added.row, opened))
        return found

    async def all(self, connection: AsyncConnection) -> list[Added]:
        """Every added model, blocked ones too."""
        found = []
        for row in (await connection.execute(select(models).order_by(models.c.id))).mappings():
            try:
                found.append(self.opened(row))
            except Unsealable as error:
                log.error("an added model is left out", model=row["name"], id=row["id"], why=str(error))
        return found

    def opened(self, row: Mapping[Any, Any]) -> Added:
        """A row of the table. Raises `Unsealable`."""
        told = json.loads(self._database.sealer.open(row["row"], f"models/{row['id']}"))
        told = {**told, "model_info": {**told.get("model_info", {}), "id": row["id"], "db_model": True}}
        names = ("id", "name", "team_id", "blocked", "created_at", "updated_at", "created_by", "updated_by")
        return Added(row=told, **{name: row[name] for name in names})

    def sealed(self, id: str, row: Row) -> bytes:
        """A row as the table keeps it."""
        return self._database.sealer.seal(json.dumps(row).encode(), f"models/{id}")

    def check(self, rows: Sequence[Row]) -> None:
        """Raises `ConfigError` when the gateway could not serve these rows."""
        if self._gateway is None:
            raise LookupError("the models are not open")
        self._gateway.check_rows(rows)

    def served(self) -> Mapping[str, Any]:
        """The model groups that this process serves now."""
        return self._gateway.groups if self._gateway is not None else {}

    async def _credentials(self, connection: AsyncConnection) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for row in (await connection.execute(select(credentials))).mappings():
            try:
                found[row["id"]] = json.loads(self._database.sealer.open(row["sealed"], f"credentials/{row['id']}"))
            except Unsealable as error:
                log.error("a credential is left out", credential=row["id"], why=str(error))
        return found

    async def _reload(self, _id: str) -> None:
        """Serve the rows as they are now. Of several workers the first tells the supervisor, which tells all."""
        gateway = self._gateway
        if gateway is None or (gateway.workers > 1 and gateway.worker != 0):
            return
        try:
            await gateway.reload()
        except (ConfigError, PluginError) as error:
            log.error("changed models are not served", why=str(error))


def _filled(row: Row, opened: Mapping[str, Row]) -> Row:
    params = dict(row.get("litellm_params", {}))
    name = params.get("litellm_credential_name")
    if isinstance(name, str) and name in opened:
        params.pop("litellm_credential_name")
        params = {**opened[name], **params}
    return {**row, "litellm_params": params}

"""The governance database of a configuration, opened without a gateway, and what is written into it.

Nothing that is there is changed: what an import brings twice stays as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import time_ns
from typing import Any, TypeVar, cast

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.catalog.stored import AddedModel, Credential, Credentials, Models
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.store.database import Database
from routeiq_governance.store.entities import Repository, Stored
from routeiq_governance.store.tables import access_groups, credentials, models
from routeiq_sdk import Gateway, Secret

S = TypeVar("S", bound=Stored)
_DATA_DIR = ".routeiq"
KINDS = (
    *("budgets", "organizations", "teams", "users", "members", "keys", "customers", "tags"),
    *("access_groups", "credentials", "models"),
)


class Target:
    """One transaction. `dry` writes nothing."""

    def __init__(self, database: Database, connection: AsyncConnection, *, dry: bool) -> None:
        self._database = database
        self._connection = connection
        self._dry = dry

    async def has(self, repository: Repository[S], *id: str) -> bool:
        """Whether there is one with this key."""
        return await repository.get(self._connection, *id) is not None

    async def put(self, repository: Repository[S], value: S, *id: str) -> bool:
        """Add one that is not there; whether it was added."""
        if await self.has(repository, *id):
            return False
        if not self._dry:
            await repository.insert(self._connection, value)
        return True

    async def put_model(self, model: AddedModel) -> bool:
        """The same for a model."""
        if await self._is_there(models, model.id):
            return False
        if not self._dry:
            await Models(self._database.sealer).insert(self._connection, model)
        return True

    async def put_credential(self, credential: Credential) -> bool:
        """The same for a credential."""
        if await self._is_there(credentials, credential.name):
            return False
        if not self._dry:
            await Credentials(self._database.sealer).insert(self._connection, credential)
        return True

    async def put_access_group(self, row: Mapping[str, Any]) -> bool:
        """The same for an access group."""
        if await self._is_there(access_groups, row["id"]):
            return False
        if not self._dry:
            await self._connection.execute(insert(access_groups).values(row))
        return True

    async def touch(self, kinds: Iterable[str]) -> None:
        """Let gateways that run see what came over."""
        if not self._dry:
            for kind in kinds:
                await self._database.touch(self._connection, kind)

    async def _is_there(self, table: Any, id: str) -> bool:
        return (await self._connection.execute(select(table.c.id).where(table.c.id == id))).first() is not None


@asynccontextmanager
async def opened(document: Mapping[str, Any], *, dry: bool) -> AsyncIterator[Target]:
    """The database of a configuration (the whole YAML, references resolved), in one transaction: all of an import comes
    over or nothing. Raises `PluginError`, `StoreUnavailable`."""
    database = Database(_config(document))
    folder = Path(str(_at(document, "routeiq", "data_dir") or _DATA_DIR)) / "plugins" / "governance"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        await database.open(cast("Gateway", _Alone(folder)))
        async with database.begin() as connection:
            yield Target(database, connection, dry=dry)
    finally:
        await database.close()


class _Alone:
    """What a database needs of a gateway."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder
        self.clock = self

    def now_ns(self) -> int:
        return time_ns()


def written_names(document: Mapping[str, Any]) -> frozenset[str]:
    """Names and ids of the models in the YAML."""
    found: set[str] = set()
    rows = document.get("model_list")
    for row in rows if isinstance(rows, list | tuple) else ():
        if isinstance(row, Mapping):
            told = (row.get("model_name"), _at(row, "model_info", "id"))
            found.update(each for each in told if isinstance(each, str))
    virtual = _at(document, "routeiq", "virtual_models")
    return frozenset(found | set(virtual if isinstance(virtual, Mapping) else ()))


def _config(document: Mapping[str, Any]) -> GovernanceConfig:
    block = _at(document, "routeiq", "plugins", "governance")
    told = {name: block[name] for name in _OF_STORE if name in block} if isinstance(block, Mapping) else {}
    url = _at(document, "general_settings", "database_url")
    return GovernanceConfig.model_validate({**told, "database_url": Secret(url) if isinstance(url, str) else url})


_OF_STORE = ("encryption_key", "pepper")


def _at(document: Any, *path: str) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document
